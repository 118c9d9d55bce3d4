"""What the report says of a converted model: its bytes, its bits, what the check measured when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_sv.analysis.compared_models import ComparedModel
from edge_sv.analysis.flash import SizeTable, size_tables
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import ModelKind, locate
from edge_sv.package import read_package
from edge_sv.recipes.reading import load_recipe, recipe_names

FACT_NAMES = {
    "cortex-m": "constants of the generated C",
    "lut": ".tflite with lookup tables",
    "tflite": ".tflite",
}
"""Forms in flash, the most compact first."""


@dataclass(frozen=True)
class ConvertedModelFacts:
    """A converted model.

    Args:
        label: names it among all models of the report.
        net: the net's name.
        recipe: how it was compressed.
        description: of the recipe, empty when it is not a bundled one.
        path: of the artifact or package.
        sha256: of the model.
        flash: form -> what lies in flash, layer by layer; see `edge_sv.analysis.flash`.
        bits: layer -> bits of a weight, of the most compact form.
        mean_bits: over all weights.
        check: figures of the check stage; empty when it was never checked.
        scoring: the shipped scoring with its threshold; None without.
        development: EERs on the development lists, of the scorings.
    """

    label: str
    net: str
    recipe: str
    description: str
    path: str
    sha256: str
    flash: dict[str, dict[str, Any]]
    bits: dict[str, int]
    mean_bits: float | None
    check: dict[str, Any]
    scoring: dict[str, Any] | None
    development: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def describe_converted_model(candidate: ComparedModel, artifact: ModelArtifact) -> ConvertedModelFacts:
    """Describe a converted model.

    Args:
        candidate: the model.
        artifact: the same, opened.

    Raises:
        DataError: it is damaged.
    """
    is_package = locate(candidate.path).kind is ModelKind.PACKAGE
    sized = read_package(candidate.path) if is_package else artifact
    tables: Mapping[str, SizeTable] = dict(size_tables(sized).items())
    bits, stated = _bits(tables), artifact.provenance.stated
    return ConvertedModelFacts(
        label=candidate.label,
        net=candidate.net,
        recipe=artifact.recipe,
        description=load_recipe(artifact.recipe).description if artifact.recipe in recipe_names() else "",
        path=candidate.place,
        sha256=artifact.sha256,
        flash={form: _flash(tables[form]) for form in FACT_NAMES if form in tables},
        bits=bits,
        mean_bits=_mean_bits(bits, artifact),
        check=stated.get("check", {}),
        scoring=None if artifact.scoring is None else artifact.scoring.to_dict(),
        development=stated.get("development", {}),
    )


def _flash(table: SizeTable) -> dict[str, Any]:
    sums = {name: table.sum(name) for name in ("weights", "codebook", "scales", "biases", "other")}
    return {**table.to_dict(), "sums": {**sums, "structure": table.structure}}


def _bits(tables: Mapping[str, SizeTable]) -> dict[str, int]:
    form = next((form for form in FACT_NAMES if form in tables), None)
    return {} if form is None else {layer.name: layer.bits for layer in tables[form].layers if layer.bits}


def _mean_bits(bits: dict[str, int], artifact: ModelArtifact) -> float | None:
    counts = {layer.name: layer.parameters for layer in artifact.layers if layer.name in bits}
    total = sum(counts.values())
    return sum(bits[name] * count for name, count in counts.items()) / total if total else None
