"""Device packages: what is in them, that they are what they were made from, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import BaseModel

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder, open_artifact, open_embedder
from edge_sv.errors import DataError, DoesNotFit, UsageError
from edge_sv.frontend.features import compute_features
from edge_sv.package import DevicePackage, Manifest, estimate_footprint, read_package, write_package
from edge_sv.package.golden_vectors import buzz
from edge_sv.package.target import Target, load_target
from edge_sv.system.files import sha256_file
from edge_sv.tflite.flatbuffer import DECODE, OPERATOR_NAMES, pack_model, parse_model
from edge_sv.tflite.tflm_operators import TFLM_OPERATORS, resolver_method

tflite_micro = pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")

REPOSITORY = Path(__file__).resolve().parents[3]
TARGETS = ["tflite-micro", "tflite", "cortex-m"]


@pytest.fixture(scope="session")
def packages(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DevicePackage]:
    folder = tmp_path_factory.mktemp("packages")
    check = {"cosine_to_float": 0.999, "bit_exact": True}
    return {name: write_package(tiny_artifact, load_target(name), folder / name, check=check) for name in TARGETS}


@pytest.fixture
def copy_of(packages: dict[str, DevicePackage], tmp_path: Path) -> Callable[[str], Path]:
    def copy(name: str) -> Path:
        for path in _files(packages[name].path):
            place = tmp_path / name / path.relative_to(packages[name].path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
        return tmp_path / name

    return copy


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _same(a: ModelArtifact, b: ModelArtifact) -> bool:
    assert a.cohort is not None
    assert b.cohort is not None
    np.testing.assert_array_equal(a.cohort.embeddings, b.cohort.embeddings)
    return dataclasses.replace(a, cohort=None) == dataclasses.replace(b, cohort=None)


@pytest.mark.parametrize("name", TARGETS)
def test_artifact_comes_back_whole(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, name: str) -> None:
    assert _same(packages[name].artifact, tiny_artifact)
    assert _same(open_artifact(packages[name].path), tiny_artifact)


def test_packages_of_the_first_schema_can_be_read(copy_of: Callable[[str], Path], tiny_artifact: ModelArtifact) -> None:
    path = copy_of("tflite-micro") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["schema_version"] = 1
    del manifest["generated"], manifest["sizes"]["state_bytes"]
    path.write_text(json.dumps(manifest))
    assert _same(read_package(path.parent).artifact, tiny_artifact)


def test_bare_tflite_comes_back_whole(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact) -> None:
    assert _same(read_package(packages["tflite"].path / "model.tflite").artifact, tiny_artifact)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("runtime", ["tflite", "tflm"])
def test_embeds_like_the_artifact(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, name: str, runtime: str
) -> None:
    pcm = buzz(24000, 16000)
    source = LiteRTEmbedder(tiny_artifact) if runtime == "tflite" else TflmEmbedder(tiny_artifact)
    packaged = open_embedder(packages[name].path, runtime=runtime)
    np.testing.assert_array_equal(packaged.embed(pcm), source.embed(pcm))
    assert packaged.model_sha256 == source.model_sha256


@pytest.mark.parametrize("name", TARGETS)
def test_same_inputs_same_bytes(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, tmp_path: Path, name: str
) -> None:
    first = packages[name]
    again = write_package(tiny_artifact, load_target(name), tmp_path / "again", check=first.manifest.check)
    assert [p.relative_to(first.path) for p in _files(first.path)] == [
        p.relative_to(again.path) for p in _files(again.path)
    ]
    for one, other in zip(_files(first.path), _files(again.path), strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.parametrize("name", TARGETS)
def test_manifest_tells_everything(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, name: str) -> None:
    manifest = json.loads((packages[name].path / "manifest.json").read_text())
    assert manifest["schema_version"] == 3
    assert manifest["model"]["sha256"] == tiny_artifact.sha256
    assert manifest["features"] == tiny_artifact.features.to_dict()
    assert manifest["input"]["shape"] == [1, 50, 16, 1]
    assert manifest["scoring"] == tiny_artifact.scoring.to_dict()
    assert manifest["check"] == {"cosine_to_float": 0.999, "bit_exact": True}
    listed = {path.relative_to(packages[name].path).as_posix() for path in _files(packages[name].path)} - {
        "manifest.json"
    }
    assert manifest["files"] == {name_: sha256_file(packages[name].path / name_) for name_ in sorted(listed)}


def test_tensor_grids_are_those_of_the_runtime(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact
) -> None:
    embedder, manifest = TflmEmbedder(tiny_artifact), packages["tflite-micro"].manifest
    for grid, stated in ((embedder.input, manifest.input), (embedder.output, manifest.output)):
        assert (grid.shape, grid.scale, grid.zero_point) == (stated.shape, stated.scale, stated.zero_point)


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


@pytest.mark.parametrize("name", TARGETS)
def test_golden_vectors_are_what_the_model_computes(packages: dict[str, DevicePackage], name: str) -> None:
    package = packages[name]
    assert package.manifest.golden[0].name == "buzz"
    for vector in package.manifest.golden:
        folder = package.path / "golden" / vector.name
        arrays = {n: np.load(folder / f"{n}.npy") for n in ("features", "input", "output", "embedding")}
        pcm, rate = soundfile.read(folder / "pcm.wav", dtype="int16")
        assert rate == 16000
        np.testing.assert_array_equal(arrays["features"], compute_features(pcm, package.artifact.features))
        embedder = TflmEmbedder(package.artifact)
        segments = package.artifact.segments.cut(arrays["features"])
        np.testing.assert_array_equal(arrays["input"], embedder.input.quantize(segments))
        np.testing.assert_array_equal(arrays["output"], [embedder.invoke(segment) for segment in arrays["input"]])
        np.testing.assert_allclose(arrays["embedding"], embedder.embed(pcm), atol=1e-6)
        assert (folder / "input.bin").read_bytes() == arrays["input"].tobytes()
        assert (folder / "output.bin").read_bytes() == arrays["output"].tobytes()
        assert len(arrays["input"]) == vector.num_segments >= 2


@pytest.mark.parametrize("name", TARGETS)
def test_damage_to_any_file_is_named(copy_of: Callable[[str], Path], name: str) -> None:
    folder = copy_of(name)
    for path in _files(folder):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        if path.name == "manifest.json":
            path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=re.escape(path.name)):
            read_package(folder)
        path.unlink()
        with pytest.raises(DataError, match=re.escape(path.name)):
            read_package(folder)
        path.write_bytes(whole)
    read_package(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema_version=4), "another schema version"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m.pop("arena"), "arena"),
        (lambda m: m["features"].update(num_mels=0), "damaged"),
        (lambda m: m["files"].update({"../escape": "0" * 64}), "outside of the package"),
        (lambda m: m["files"].pop("model.tflite"), "does not list"),
        (lambda m: m["model"].update(sha256="0" * 64), "not the one"),
        (lambda m: m["model"].update(bytes=-1), "not the one"),
    ],
)
def test_a_changed_manifest_is_refused(
    copy_of: Callable[[str], Path], change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = copy_of("tflite-micro") / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message):
        read_package(path.parent)


def test_a_tflite_without_manifest_is_refused(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    (tmp_path / "plain.tflite").write_bytes(tiny_artifact.model)
    with pytest.raises(DataError, match="no edge_sv manifest"):
        read_package(tmp_path / "plain.tflite")


@pytest.mark.parametrize("cut", [0, 4, 8, 100, 5000])
def test_a_truncated_tflite_is_refused(packages: dict[str, DevicePackage], tmp_path: Path, cut: int) -> None:
    whole = (packages["tflite"].path / "model.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[:cut])
    with pytest.raises(DataError):
        read_package(tmp_path / "cut.tflite")


def test_what_does_not_fit_says_by_how_much_and_why(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    footprint = estimate_footprint(tiny_artifact, load_target("tflite-micro"))
    assert footprint.ram_bytes is not None
    with pytest.raises(DoesNotFit) as caught:
        write_package(
            tiny_artifact,
            load_target("tflite-micro"),
            tmp_path / "out",
            max_flash=footprint.flash_bytes - 1234,
            max_ram=footprint.ram_bytes - 56,
        )
    assert "1,234 bytes of flash and 56 bytes of RAM too many" in caught.value.message
    heaviest = max(tiny_artifact.layers, key=lambda layer: layer.weight_bytes)
    widest = max(tiny_artifact.layers, key=lambda layer: int(np.prod(layer.output_shape)))
    assert caught.value.details["most weights"].startswith(f"{heaviest.name} {heaviest.weight_bytes:,}")
    assert caught.value.details["most activations"].startswith(widest.name)
    assert not (tmp_path / "out").exists()


def test_exactly_the_budget_fits_and_the_target_has_one_too(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    target = load_target("tflite-micro")
    footprint = estimate_footprint(tiny_artifact, target)
    assert footprint.ram_bytes is not None
    write_package(
        tiny_artifact, target, tmp_path / "fits", max_flash=footprint.flash_bytes, max_ram=footprint.ram_bytes
    )
    small = dataclasses.replace(target, ram_bytes=footprint.ram_bytes - 1)
    with pytest.raises(DoesNotFit, match="1 bytes of RAM"):
        write_package(tiny_artifact, small, tmp_path / "small", max_ram=footprint.ram_bytes + 1000)


def test_sizes_add_up(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact) -> None:
    sizes, arena = packages["tflite-micro"].manifest.sizes, packages["tflite-micro"].manifest.arena
    assert arena is not None
    assert sizes.flash_bytes == len(tiny_artifact.model) + 12 * 24 + sizes.code_bytes_estimate
    assert sizes.ram_bytes == arena.bytes + sizes.object_bytes + sizes.buffer_bytes
    assert arena.bytes == arena.measured_bytes + arena.scratch_bytes + arena.margin_bytes
    assert arena.bytes % 1024 == 0
    assert arena.margin_bytes >= arena.measured_bytes * 0.05


def test_unknown_kind_of_package(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    target = Target(name="x", description="x", package="tflite-macro", converter="tflite")
    with pytest.raises(UsageError, match="did you mean 'tflite-micro'"):
        write_package(tiny_artifact, target, tmp_path / "out")


def test_unwritable_place(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        write_package(tiny_artifact, load_target("tflite"), tmp_path / "file" / "out")


def test_an_operator_that_tflm_lacks_is_named(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    model = parse_model(tiny_artifact.model)
    codes = {name: code for code, name in OPERATOR_NAMES.items()}
    (mean,) = [code for code in model.operatorCodes if OPERATOR_NAMES[code.builtinCode] == "MEAN"]
    mean.builtinCode = codes["GELU"]
    mean.deprecatedBuiltinCode = 127
    broken = dataclasses.replace(tiny_artifact, model=pack_model(model))
    with pytest.raises(DataError, match="GELU"):
        write_package(broken, load_target("tflite-micro"), tmp_path / "out")


def test_every_operator_is_one_of_the_interpreter_that_checks_the_builds() -> None:
    (library,) = Path(tflite_micro.__file__).parent.rglob("_runtime*.so")
    registered = set(re.findall(rb"Register_([A-Z0-9_]+)Ev", library.read_bytes()))
    assert {kind.encode() for kind in TFLM_OPERATORS} <= registered
    known = {name.encode() for name in OPERATOR_NAMES.values()}
    assert registered & known == {kind.encode() for kind in TFLM_OPERATORS}


def test_methods_are_those_of_the_resolver() -> None:
    stub = REPOSITORY / "tests/firmware/tflm_stub/tensorflow/lite/micro/micro_mutable_op_resolver.h"
    declared = set(re.findall(r"TfLiteStatus (Add\w+)\(\)", stub.read_text()))
    assert {resolver_method(kind) for kind in (*TFLM_OPERATORS, DECODE)} == declared


def test_licences_are_those_of_the_repository(packages: dict[str, DevicePackage]) -> None:
    for package in packages.values():
        assert (package.path / "LICENSES/Apache-2.0.txt").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
        assert (package.path / "LICENSES/NOTICE.txt").read_bytes() == (REPOSITORY / "NOTICE").read_bytes()


def test_a_cosine_package_has_no_cohort_in_c(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    assert tiny_artifact.scoring is not None
    cosine = dataclasses.replace(tiny_artifact, scoring=dataclasses.replace(tiny_artifact.scoring, kind="cosine"))
    package = write_package(cosine, load_target("tflite-micro"), tmp_path / "cosine")
    assert not list(package.path.glob("src/esv_cohort*"))
    assert package.manifest.sizes.cohort_bytes == 0
    assert "esv_cohort" not in (package.path / "CMakeLists.txt").read_text()
    bare = dataclasses.replace(tiny_artifact, scoring=None, cohort=None)
    package = write_package(bare, load_target("tflite-micro"), tmp_path / "bare")
    assert "ESV_MODEL_THRESHOLD" not in (package.path / "src/esv_model_config.h").read_text()
    assert package.artifact.scoring is None
    assert package.artifact.cohort is None


def test_reading_needs_no_runtime(packages: dict[str, DevicePackage]) -> None:
    code = (
        "import sys\n"
        "for name in ('ai_edge_litert', 'tflite_micro', 'jinja2', 'tensorflow', 'flatbuffers'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\nfrom edge_sv.package import read_package\n"
        "print([read_package(Path(name)).artifact.sha256 for name in sys.argv[1:]])\n"
    )
    folders = [*(package.path for package in packages.values()), packages["tflite"].path / "model.tflite"]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.count(packages["tflite"].artifact.sha256) == 4, done.stderr


def test_the_readme_s_python_runs(packages: dict[str, DevicePackage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(packages["tflite"].path)
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"pcm": buzz(24000, 16000)}
    exec(code, names)
    np.testing.assert_array_equal(names["embedding"], LiteRTEmbedder(packages["tflite"].artifact).embed(names["pcm"]))
