"""The float net that a converted model was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_sv.artifacts.artifact import COMPRESSED_DIR, ModelArtifact
from edge_sv.artifacts.locate import locate
from edge_sv.artifacts.net import is_net, net_sha256
from edge_sv.errors import DataError
from edge_sv.plugins.converter import find_converter
from edge_sv.system.bundled import assets_dir


def find_reference(model: str | Path, artifact: ModelArtifact) -> Path:
    """Find the float net that a converted model was made from: in its folder, beside it, or among the bundled nets.

    A net is the reference when its sha256 is the one that the converted model states.

    Raises:
        DataError: none of these is.
    """
    path, wanted = locate(model).path.resolve(), artifact.provenance.float_sha256
    tried = [folder for folder in _candidates(path, artifact) if is_net(folder)]
    for folder in tried:
        if net_sha256(folder) == wanted:
            return folder
    raise DataError(
        f"the float net that {model} was converted from is not here",
        details={
            "wanted": f"float_sha256 {str(wanted)[:12]}..." if wanted else "the model does not state one",
            "tried": ", ".join(map(str, tried)) or "no float net beside it",
        },
        hint="name it: --against NET",
    )


def _candidates(path: Path, artifact: ModelArtifact) -> Iterator[Path]:
    for net in (path, path.parent, assets_dir() / artifact.name):
        yield net / COMPRESSED_DIR / artifact.recipe
        yield net


def convert_float(net: Path) -> bytes:
    """Convert a float net to a .tflite without quantization, layers named as in its int8 form.

    Raises:
        ToolMissing: TensorFlow is not installed.
        DataError: the net is damaged.
    """
    return find_converter("tflite").convert_float(net)
