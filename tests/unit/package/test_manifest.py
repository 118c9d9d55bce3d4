"""The manifest states what a package holds, and every field is documented."""

from __future__ import annotations

import json
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.package import DevicePackage, Manifest
from edge_sv.package.manifest import parse_manifest
from edge_sv.system.files import sha256_file
from tests.unit.package.conftest import TARGETS, files_in

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", TARGETS)
def test_manifest_tells_everything(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, name: str) -> None:
    manifest = json.loads((packages[name].path / "manifest.json").read_text())
    assert manifest["schema_version"] == 3
    assert manifest["model"]["sha256"] == tiny_artifact.sha256
    assert manifest["features"] == tiny_artifact.features.to_dict()
    assert manifest["input"]["shape"] == [1, 50, 16, 1]
    assert manifest["scoring"] == tiny_artifact.scoring.to_dict()
    assert manifest["check"] == {"cosine_to_float": 0.999, "bit_exact": True}
    listed = {path.relative_to(packages[name].path).as_posix() for path in files_in(packages[name].path)} - {
        "manifest.json"
    }
    assert manifest["files"] == {name_: sha256_file(packages[name].path / name_) for name_ in sorted(listed)}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("generated", "prefix"), "x(void); int y"),
        (("generated", "inputs", 0, "dtype"), "object"),
        (("generated", "inputs", 0, "shape"), [-1]),
        (("golden", 0, "name"), "../../secret"),
        (("golden", 0, "name"), ".."),
        (("model", "file"), "/etc/passwd"),
        (("cohort", "file"), "../cohort.npz"),
        (("model", "bytes"), -1),
        (("sizes", "state_bytes"), 1 << 80),
        (("input", "scale"), float("nan")),
    ],
)
def test_what_could_lead_out_of_a_package_or_into_its_code_is_refused(
    packages: dict[str, DevicePackage], place: tuple[str | int, ...], value: object
) -> None:
    document = json.loads((packages["cortex-m"].path / "manifest.json").read_text())
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(DataError, match="damaged") as caught:
        parse_manifest(json.dumps(document).encode(), "a manifest")
    assert ".".join(map(str, place)) in caught.value.details["got"]


def test_every_manifest_field_is_documented() -> None:
    text = (REPOSITORY / "docs" / "package-manifest.md").read_text()
    undocumented = [name for name in _field_names(Manifest) if f"`{name}`" not in text]
    assert undocumented == []


def _field_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        names.append(prefix + name)
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names += _field_names(kind, f"{prefix}{name}.")
    return names
