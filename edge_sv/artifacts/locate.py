"""What a MODEL argument is: the one place that looks.

A model is a bundled net's name, a form of one as NET/RECIPE, a folder or a file. `locate` answers with a typed value;
what cannot be used is a value, too, and says what it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge_sv.artifacts.activation_ranges import RANGES_FILE
from edge_sv.artifacts.artifact import ARTIFACT_FILE, COMPRESSED_DIR, MODEL_FILE
from edge_sv.artifacts.net import NET_FILE, WEIGHTS_FILE, is_net
from edge_sv.artifacts.palette import PALETTES_FILE
from edge_sv.errors import DataError, UsageError, reason_of, unknown_name
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import read_file
from edge_sv.system.packed import PACKED_SUFFIX
from edge_sv.tflite import metadata

MANIFEST_FILE = "manifest.json"
"""In a device package's folder."""
MANIFEST_ENTRY = "edge_sv_manifest"
"""Name of the metadata of a .tflite that is a device package in one file."""


class ModelKind(Enum):
    """What lies at a model's place; the value is for people."""

    FLOAT_NET = "a float net"
    ARTIFACT = "a converted model"
    PACKAGE = "a device package"
    TFLITE = "a .tflite file without a front end"
    FOREIGN = "no model that edge-sv reads"


@dataclass(frozen=True)
class LocatedModel:
    """A model's place and kind.

    Args:
        argument: what was asked for.
        path: folder or file.
        kind: what lies there.
        description: of a foreign file or folder: what it is; for all others the kind's words.
        hint: of a foreign one: what to do.
    """

    argument: str
    path: Path
    kind: ModelKind
    description: str
    hint: str | None = None

    @property
    def net(self) -> Path | None:
        """The float net's folder: the model itself, or the net in whose folder a converted model lies."""
        if self.kind is ModelKind.FLOAT_NET:
            return self.path
        beside = self.path.resolve().parent
        return beside if self.kind is ModelKind.ARTIFACT and is_net(beside) else None

    @property
    def name(self) -> str:
        """The model's name in paths that are made for it."""
        return self.path.stem if self.path.is_file() else (self.net or self.path).resolve().name

    def artifact(self, recipe: str) -> Path | None:
        """Return the folder of the form that was converted with a recipe; a converted model is its own form."""
        if self.kind is ModelKind.ARTIFACT:
            return self.path
        found = self.path / recipe
        return found if self.kind is ModelKind.FLOAT_NET and (found / ARTIFACT_FILE).is_file() else None

    def artifacts(self) -> list[Path]:
        """Return the folders of all converted forms, by name."""
        if self.kind is ModelKind.ARTIFACT:
            return [self.path]
        found = self.path.glob(f"*/{ARTIFACT_FILE}") if self.kind is ModelKind.FLOAT_NET else ()
        return sorted(path.parent for path in found)

    def compressed(self, recipe: str) -> Path | None:
        """Return the folder of the float net's compressed form that came with it."""
        found = self.net and self.net / COMPRESSED_DIR / recipe
        return found if found and is_net(found) else None

    def require(self, *kinds: ModelKind, hint: str | None = None) -> LocatedModel:
        """Return the model when it is of one of some kinds.

        Args:
            kinds: what can be used.
            hint: what to do otherwise; a foreign file's own hint goes before it.

        Raises:
            UsageError: it is a model of another kind.
            DataError: it is no model.
        """
        if self.kind in kinds:
            return self
        wanted = _either([kind.value for kind in kinds])
        error = DataError if self.kind is ModelKind.FOREIGN else UsageError
        raise error(
            f"{self.argument} is {self.description}",
            details={"wanted": wanted},
            hint=self.hint or hint or f"give {wanted}",
        )


def asset_names() -> list[str]:
    """Return the names of the bundled nets."""
    folder = assets_dir()
    return sorted(path.parent.name for path in folder.glob(f"*/{NET_FILE}")) if folder.is_dir() else []


def locate(model: Path | str) -> LocatedModel:
    """Find a model and tell what it is.

    Args:
        model: a bundled net's name, NET/RECIPE for a form of it, a folder or a file. What exists goes before a name.

    Raises:
        UsageError: there is no such name or place; the message has the nearest name.
        DataError: the place cannot be read.
    """
    path = _find(model)
    argument = str(model)
    try:
        if path.is_dir():
            return _look_into_folder(argument, path)
        return _look_into_file(argument, path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error


def find_net(model: Path | str) -> Path:
    """Return the folder of a float net.

    Raises:
        UsageError: there is no such model, or it is one of another kind.
        DataError: what lies there is no model or cannot be read.
    """
    return locate(model).require(ModelKind.FLOAT_NET, hint=f"give the folder that holds {NET_FILE}").path


def _find(model: Path | str) -> Path:
    path = Path(model).expanduser()
    try:
        if path.exists():
            return path
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    except ValueError as error:
        raise UsageError(f"{str(model)!r} is no usable path", details={"got": str(error)}) from error
    bundled = assets_dir() / path
    if ".." not in path.parts and any((bundled / name).is_file() for name in (NET_FILE, ARTIFACT_FILE)):
        return bundled
    if os.sep in str(model) or path.suffix:
        raise UsageError(f"no such model: {model}", hint="give a bundled net's name, a folder or a .tflite file")
    raise unknown_name("model", str(model), asset_names())


def _look_into_folder(argument: str, path: Path) -> LocatedModel:
    files = {NET_FILE: ModelKind.FLOAT_NET, ARTIFACT_FILE: ModelKind.ARTIFACT, MANIFEST_FILE: ModelKind.PACKAGE}
    for name, kind in files.items():
        if (path / name).is_file():
            return LocatedModel(argument, path, kind, kind.value)
    for names, description, hint in _FOREIGN_FOLDERS:
        if all((path / name).exists() for name in names):
            return LocatedModel(argument, path, ModelKind.FOREIGN, description, hint)
    below = sorted(file.parent.name for file in path.glob(f"*/{NET_FILE}"))[:3]
    return LocatedModel(
        argument,
        path,
        ModelKind.FOREIGN,
        f"a folder without {_either(files)}",
        f"the models lie below it: {', '.join(str(path / name) for name in below)}"
        if below
        else "give the folder of a net (edge-sv train makes one), of a converted model or of a package",
    )


def _look_into_file(argument: str, path: Path) -> LocatedModel:
    if not path.is_file():
        return LocatedModel(argument, path, ModelKind.FOREIGN, "neither a file nor a folder")
    with path.open("rb") as stream:
        start = stream.read(512)
    if start[4:8] == b"TFL3" or path.suffix == ".tflite":
        packaged = MANIFEST_ENTRY in metadata.extract(read_file(path))
        kind = ModelKind.PACKAGE if packaged else ModelKind.TFLITE
        return LocatedModel(argument, path, kind, kind.value)
    inside = {file: f"that file is part of {kind.value}" for file, kind in _PARTS.items()}
    part = path.name.removesuffix(PACKED_SUFFIX)
    if part in inside:
        return LocatedModel(argument, path, ModelKind.FOREIGN, inside[part], f"give its folder: {path.parent}")
    for suffixes, magic, description, hint in _FOREIGN_FILES:
        if path.suffix.lower() in suffixes or (magic and start.startswith(magic)):
            return LocatedModel(argument, path, ModelKind.FOREIGN, description, hint)
    return LocatedModel(argument, path, ModelKind.FOREIGN, _describe_unknown(start), _KNOWN_HINT)


def _describe_unknown(start: bytes) -> str:
    if not start:
        return "an empty file"
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not just a character that the excerpt cuts
            return "a file of an unknown format"
    return "a text file" if b"\0" not in start else "a file of an unknown format"


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


_PARTS = {
    NET_FILE: ModelKind.FLOAT_NET,
    WEIGHTS_FILE: ModelKind.FLOAT_NET,
    PALETTES_FILE: ModelKind.FLOAT_NET,
    RANGES_FILE: ModelKind.FLOAT_NET,
    ARTIFACT_FILE: ModelKind.ARTIFACT,
    MODEL_FILE: ModelKind.ARTIFACT,
    MANIFEST_FILE: ModelKind.PACKAGE,
}
_KNOWN_HINT = "give a bundled net's name, a net's folder, a converted model's folder, a package or a .tflite file"
_TO_TFLITE = (
    "edge-sv reads its own nets and .tflite files: convert it to an int8 .tflite with TensorFlow's converter, then "
    "build that for --target cortex-m"
)
_FOREIGN_FILES: tuple[tuple[frozenset[str], bytes, str, str], ...] = (
    (frozenset({".keras"}), b"", "a Keras model", _TO_TFLITE),
    (frozenset({".h5", ".hdf5"}), b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", _TO_TFLITE),
    (frozenset({".onnx"}), b"", "an ONNX model", _TO_TFLITE),
    (frozenset({".pt", ".pth", ".ckpt"}), b"", "a PyTorch checkpoint", _TO_TFLITE),
    (frozenset({".safetensors"}), b"", "a safetensors file", _TO_TFLITE),
    (frozenset({".espdl"}), b"EDL", "an ESP-DL model", _TO_TFLITE),
    (frozenset({".pb"}), b"", "a TensorFlow graph", _TO_TFLITE),
    (frozenset({".npz", ".npy"}), b"\x93NUMPY", "an array file", "give the folder of the net that it belongs to"),
    (frozenset({".zip"}), b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (frozenset(), b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (frozenset({".print"}), b"", "a voice print", "give the model that made it, and the print to edge-sv verify"),
    (frozenset({".wav", ".flac", ".ogg", ".mp3"}), b"RIFF", "a recording", _KNOWN_HINT),
    (frozenset({".toml"}), b"", "a TOML file", "--recipe takes a recipe, edge-sv train a configuration"),
)
_FOREIGN_FOLDERS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("saved_model.pb",), "a TensorFlow SavedModel", _TO_TFLITE),
    (("avg_model.pt",), "a WeSpeaker checkpoint", _TO_TFLITE),
    (("hyperparams.yaml",), "a SpeechBrain checkpoint", _TO_TFLITE),
    (("config.json", "state.npz"), "a training run without a finished net", "let edge-sv train finish it"),
)
