"""What the report says of a float net: what it is, what it costs, how its training went."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sv.analysis.compared_models import ComparedModel, has_tensorflow
from edge_sv.artifacts.net import read_net
from edge_sv.errors import DataError
from edge_sv.system.tables import read_table

HISTORY_FILE = "history.csv"
FLOAT_BYTES = 4


@dataclass(frozen=True)
class NetFacts:
    """A net.

    Args:
        name: of the net.
        folder: of its float form; None where only converted forms are at hand.
        family: which architecture, `resnet`.
        config: the family's options.
        features: the front end.
        segments: the frames that it takes at once.
        embedding_dim: length of an embedding.
        parameters: numbers learned; of a converted form where the float net cannot be opened.
        macs: multiply-accumulates of one inference.
        macs_per_second: of a second of speech, segments side by side.
        float_bytes: four bytes a parameter.
        epoch: of the weights, None when it is not recorded.
        dev: what that epoch reached on the development lists, name -> fraction.
        history: column -> value of every epoch; None without `history.csv`.
    """

    name: str
    folder: str | None
    family: str | None
    config: dict[str, Any]
    features: dict[str, Any]
    segments: dict[str, Any]
    embedding_dim: int | None
    parameters: int | None
    macs: int | None
    macs_per_second: int | None
    float_bytes: int | None
    epoch: int | None
    dev: dict[str, float]
    history: dict[str, list[float | None]] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class _Costs:
    parameters: int
    macs: int
    macs_per_second: int | None


def describe_net(compared: Sequence[ComparedModel]) -> NetFacts:
    """Describe the net that the compared models are forms of.

    Args:
        compared: all of one net.

    Raises:
        DataError: a file of the net is damaged.
    """
    artifact = next((each.artifact for each in compared if each.artifact), None)
    own = next((each for each in compared if each.artifact is None), None)
    folder = None if own is None else own.path
    net = None if folder is None else read_net(folder)
    provenance = {} if net is None else net.provenance
    front_end = net or artifact
    costs = _costs(compared, folder)
    dev = provenance.get("dev") or {}
    return NetFacts(
        name=compared[0].net,
        folder=None if own is None else own.place,
        family=net.family if net else None,
        config=net.config if net else {},
        features=front_end.features.to_dict() if front_end else {},
        segments=asdict(front_end.segments) if front_end else {},
        embedding_dim=artifact.embedding_dim if artifact else net.config.get("embedding_dim") if net else None,
        parameters=None if costs is None else costs.parameters,
        macs=None if costs is None else costs.macs,
        macs_per_second=None if costs is None else costs.macs_per_second,
        float_bytes=None if costs is None else FLOAT_BYTES * costs.parameters,
        epoch=provenance.get("epoch"),
        dev={name: value for name, value in dev.items() if name.startswith("dev_eer")},
        history=None if folder is None else read_history(folder / HISTORY_FILE),
    )


def read_history(path: Path) -> dict[str, list[float | None]] | None:
    """Read a training's `history.csv`, column -> value of every epoch; None when there is no such file.

    A value is None where none is written, and where a training that diverged left one that is not finite.

    Raises:
        DataError: it is not a table of numbers.
    """
    if not path.is_file():
        return None
    try:
        table = read_table(path)
        return {name: [_finite(row[name]) for _, row in table.rows] for name in table.columns if table.rows}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(f"{path} is damaged", details={"got": str(error)}) from error


def _finite(text: str | None) -> float | None:
    value = float(text) if text else None
    return value if value is not None and math.isfinite(value) else None


def _costs(compared: Sequence[ComparedModel], folder: Path | None) -> _Costs | None:
    """Count parameters and MACs of the float net; of a converted form where TensorFlow is missing."""
    if folder is not None and has_tensorflow():
        from edge_sv.analysis.summary import summarize_model

        summary = summarize_model(str(folder), float_net=True)
        return _Costs(summary.parameters, summary.macs, summary.macs_per_second)
    artifact = next((each.artifact for each in compared if each.artifact), None)
    if artifact is None:
        return None
    parameters, macs = (sum(getattr(layer, name) for layer in artifact.layers) for name in ("parameters", "macs"))
    seconds = artifact.segments.frames * artifact.features.hop_ms / 1000
    return _Costs(parameters, macs, round(macs / seconds))
