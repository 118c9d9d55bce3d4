"""The float net that a converted model was made from, and recordings to run both on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_sv.artifacts.artifact import COMPRESSED_DIR, ModelArtifact, net_sha256
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import find_model
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule
from edge_sv.plugins.converter import find_converter
from edge_sv.scoring.speech_index import read_index
from edge_sv.system.array_types import Float32
from edge_sv.system.bundled import assets_dir

RECORDINGS = 16
"""Recordings taken from a table of speech files."""


@dataclass(frozen=True)
class Speech:
    """Recordings to run nets on.

    Args:
        files: in a fixed order.
        source: where they come from.
    """

    files: tuple[Path, ...]
    source: str

    def segments(self, features: FeatureConfig, rule: SegmentRule, *, count: int) -> list[Float32]:
        """Cut up to `count` (frames, num_mels) segments: the first of each recording, then the second, and so on.

        Raises:
            DataError: a recording cannot be read, or none gives a segment.
        """
        recordings = [
            list(rule.cut(compute_features(read_recording(path, sample_rate=features.sample_rate), features)))
            for path in self.files
        ]
        longest = max((len(segments) for segments in recordings), default=0)
        ordered = [segments[turn] for turn in range(longest) for segments in recordings if turn < len(segments)]
        if not ordered:
            raise DataError(f"no recording to run a net on: {self.source}")
        return ordered[:count]


def find_speech(index: Path | None) -> Speech:
    """Choose recordings: up to 16 of a table that were not trained on, evenly; None: the bundled synthetic voices.

    Raises:
        DataError: the table cannot be read, or there is no recording.
    """
    if index is None:
        return Speech(_bundled_voices(), "bundled synthetic voices")
    files = read_index(index)
    held_out = sorted({file.path for file in files if file.split != "train"} or {file.path for file in files})
    return Speech(tuple(held_out[:: -(-len(held_out) // RECORDINGS)]), str(index))


def _bundled_voices() -> tuple[Path, ...]:
    voices = tuple(sorted((assets_dir() / "voices").glob("*.flac")))
    if not voices:
        raise DataError("the bundled voices are missing", details={"folder": str(assets_dir() / "voices")})
    return voices


def find_reference(model: str | Path, artifact: ModelArtifact) -> Path:
    """Find the float net that a converted model was made from: in its folder, beside it, or among the bundled nets.

    A net is the twin when its sha256 is the one that the converted model states.

    Raises:
        DataError: none of these is.
    """
    path, wanted = find_model(model).resolve(), artifact.provenance.get("float_sha256")
    tried = [folder for folder in _candidates(path, artifact) if (folder / "net.json").is_file()]
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


def float_folder(model: str | Path) -> Path:
    """Return the folder of a float net, compressed or not.

    Raises:
        UsageError: the model is a converted one.
    """
    folder = find_model(model)
    if not (folder / "net.json").is_file():
        raise UsageError(f"{model} is not a float net", hint="give the folder that holds net.json")
    return folder


def convert_float(net: Path) -> bytes:
    """Convert a float net to a .tflite without quantization, layers named as in its int8 form.

    Raises:
        ToolMissing: TensorFlow is not installed.
        DataError: the net is damaged.
    """
    return find_converter("tflite").convert_float(net)
