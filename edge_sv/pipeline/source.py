"""What a build starts from: a float net, its compressed form, its converted form, as far as they are there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_sv.artifacts.artifact import ARTIFACT_FILE, COMPRESSED_DIR
from edge_sv.embedders import find_model
from edge_sv.errors import DataError, UsageError
from edge_sv.package.manifest import MANIFEST_FILE
from edge_sv.recipes.recipe import load_recipe


@dataclass(frozen=True)
class Source:
    """A model to build from: its float net, its converted form, or both; its compressed form if it came with one."""

    net: Path | None
    artifact: Path | None
    compressed: Path | None = None


def find_source(model: Path | str, recipe: str) -> Source:
    """Find what a model is built from.

    Raises:
        UsageError: unknown model or recipe, or the model is a package already.
        DataError: the folder holds no model.
    """
    name = load_recipe(recipe).name
    path = find_model(model)
    if path.is_file() or (path / MANIFEST_FILE).is_file():
        raise UsageError(f"{model} is a package already", hint="give the float net or the artifact it was built from")
    if (path / "net.json").is_file():
        converted, compressed = path / name, path / COMPRESSED_DIR / name
        return Source(
            path,
            converted if (converted / ARTIFACT_FILE).is_file() else None,
            compressed if (compressed / "net.json").is_file() else None,
        )
    if (path / ARTIFACT_FILE).is_file():
        beside = path.resolve().parent
        return Source(beside if (beside / "net.json").is_file() else None, path)
    raise DataError(f"{path} is not a model", details={"missing": f"net.json or {ARTIFACT_FILE}"})
