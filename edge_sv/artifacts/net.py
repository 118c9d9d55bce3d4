"""A float net's folder as far as it can be read without TensorFlow: what `net.json` states, and the net's identity.

`edge_sv.models.checkpoint` builds the net in Keras.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sv.artifacts.activation_ranges import RANGES_FILE
from edge_sv.artifacts.palette import PALETTES_FILE
from edge_sv.errors import DataError, EdgeSvError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system import files
from edge_sv.system.files import sha256_bytes
from edge_sv.system.packed import is_there, read_file

NET_FILE = "net.json"
WEIGHTS_FILE = "weights.npz"
NET_FILES = (NET_FILE, WEIGHTS_FILE, PALETTES_FILE, RANGES_FILE)
"""All that a float net's folder may hold of the net itself; arrays may lie packed (`edge_sv.system.packed`)."""
FORMAT = 1
_FIELDS = ("name", "family", "config", "features", "segments", "provenance")


@dataclass(frozen=True)
class FloatNet:
    """What a float net's folder states.

    Args:
        path: the folder.
        name: for people, `resnet-nano`.
        family: its topology, a key of `edge_sv.models.families.FAMILIES`.
        config: the family's configuration, JSON values.
        features: its front end.
        segments: the frames it takes at once.
        provenance: how it came to be, JSON values.
    """

    path: Path
    name: str
    family: str
    config: dict[str, Any]
    features: FeatureConfig
    segments: SegmentRule
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def compressed_from(self) -> str | None:
        """Identity of the net that this one was compressed from; None for a net that was not compressed."""
        return self.provenance.get("compressed_from")

    @property
    def recipe(self) -> dict[str, Any] | None:
        """The recipe it was compressed by, JSON values; None for a net that was not compressed."""
        return self.provenance.get("recipe") if self.compressed_from else None


def is_net(folder: Path) -> bool:
    """Tell whether a folder holds a float net."""
    return (folder / NET_FILE).is_file()


def read_net(folder: Path) -> FloatNet:
    """Read what a float net's folder states; its weights are not looked at.

    Raises:
        DataError: it is no float net, `net.json` is damaged, or a newer version wrote it.
    """
    values = _read_json(folder)
    if values.get("format") != FORMAT:
        raise DataError(
            f"{folder}: {NET_FILE} has format {values.get('format')}; this version reads {FORMAT}",
            hint="a newer edge-sv wrote it: update this one",
        )
    missing = [name for name in _FIELDS if name not in values]
    if missing:
        raise DataError(f"{folder}: {NET_FILE} is incomplete", details={"missing": ", ".join(missing)})
    try:
        net = FloatNet(
            path=folder,
            name=str(values["name"]),
            family=str(values["family"]),
            config=dict(values["config"]),
            features=FeatureConfig.from_dict(values["features"]),
            segments=SegmentRule(**values["segments"]),
            provenance=dict(values["provenance"]),
        )
    except EdgeSvError as error:
        raise DataError(f"{folder}: {NET_FILE}: {error.message}", details=error.details, hint=error.hint) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{folder}: {NET_FILE} is damaged", details={"got": str(error)}) from error
    return net


def net_sha256(folder: Path) -> str:
    """Return the identity of a float net's folder: SHA-256 of its weights and of what decides how they are used.

    Its name and its history do not count: a note added to `net.json` makes no other net.

    Raises:
        DataError: a file is missing or damaged.
    """
    values = _read_json(folder)
    if not is_there(folder / WEIGHTS_FILE):
        raise DataError(f"{folder} is not a float net", details={"missing": WEIGHTS_FILE})
    try:
        parts = {name: values[name] for name in ("family", "config", "features", "segments")}
        parts["weights"] = sha256_bytes(read_file(folder / WEIGHTS_FILE))
        beside = {"palettes": folder / PALETTES_FILE, "ranges": folder / RANGES_FILE}
        parts |= {name: sha256_bytes(read_file(path)) for name, path in beside.items() if is_there(path)}
    except KeyError as error:
        raise DataError(f"{folder}: {NET_FILE} is incomplete", details={"missing": str(error)}) from error
    return sha256_bytes(json.dumps(parts, sort_keys=True).encode())


def _read_json(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads(files.read_file(folder / NET_FILE))
    except OSError as error:
        raise DataError(
            f"{folder} is not a float net",
            details={"got": f"{NET_FILE}: {error.strerror}"},
            hint=f"give the folder that holds {NET_FILE}",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{folder / NET_FILE} is damaged", details={"got": str(error)}, hint="copy it again") from error
    if not isinstance(values, dict):
        raise DataError(f"{folder / NET_FILE} is damaged", details={"got": f"{type(values).__name__}, not an object"})
    return values
