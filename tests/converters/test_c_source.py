"""Generated C: it computes what TensorFlow Lite Micro computes, compiles everywhere, and is the same every time."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.compiled import package_sources
from edge_sv.errors import AccuracyGateFailed, DataError, DoesNotFit, UsageError
from edge_sv.package import DevicePackage, read_package, write_package
from edge_sv.package.device_memory import features_bytes, memory_bytes
from edge_sv.package.net_only import (
    NetOnlyModel,
    NetOnlyVector,
    generate_net_only,
    make_net_only_vectors,
    write_net_only_package,
)
from edge_sv.package.target import load_target
from edge_sv.pipeline.check_generated_c import check_net_only_package, first_generated_difference
from edge_sv.plugins.generator import CodeOptions, GeneratedNet, find_generator
from edge_sv.runtimes.host_compiler import compile_library
from edge_sv.runtimes.tflm_process import run_isolated, trace_isolated
from edge_sv.system.bundled import assets_dir
from tests.firmware.conftest import WARNINGS, files_of, run, tool
from tests.random_nets import random_net

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")

BUNDLED = ["resnet-nano", "resnet-thin", "ecapa-small"]
CODE = CodeOptions()

MakePackage = Callable[[bytes], tuple[DevicePackage, list[NetOnlyVector]]]


def _bundled(name: str) -> bytes:
    return (assets_dir() / name / "static_wi8_ai8" / "model.tflite").read_bytes()


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libraries")


@pytest.fixture
def make_package(tmp_path: Path) -> MakePackage:
    def make(model: bytes) -> tuple[DevicePackage, list[NetOnlyVector]]:
        net = NetOnlyModel("net", model)
        vectors = make_net_only_vectors(net, generate_net_only(net, CODE))
        target = load_target("cortex-m")
        return write_net_only_package(net, target, tmp_path / "package", vectors=vectors, code=CODE), vectors

    return make


@pytest.mark.parametrize("name", BUNDLED)
def test_every_tensor_of_a_bundled_net_is_that_of_tflm(name: str) -> None:
    model = _bundled(name)
    segment = np.random.default_rng(1).integers(-128, 128, (1, 200, 80, 1)).astype(np.int8)
    got = find_generator("c_source").trace(model, [segment])
    wanted = trace_isolated(model, [segment], sorted(got))
    different = [
        index for index in sorted(got) if not np.array_equal(got[index], wanted[index].reshape(got[index].shape))
    ]
    assert different == []


@pytest.mark.parametrize("name", ["ecapa-small", "resnet-nano"])
def test_tensors_that_share_memory_give_the_same(make_package: MakePackage, libraries: Path, name: str) -> None:
    package, vectors = make_package(_bundled(name))
    assert check_net_only_package(package, [(v.inputs, v.outputs) for v in vectors], cache=libraries) == 3


@pytest.mark.parametrize("seed", range(2))
def test_random_nets_compute_what_tflm_computes(make_package: MakePackage, libraries: Path, seed: int) -> None:
    package, vectors = make_package(random_net(seed))
    assert check_net_only_package(package, [(v.inputs, v.outputs) for v in vectors], cache=libraries) == 3


def test_a_difference_stops_the_build_and_names_the_layer(make_package: MakePackage, libraries: Path) -> None:
    package, vectors = make_package(random_net(1))
    wrong = [np.asarray(values) ^ 1 for values in vectors[0].outputs]
    with pytest.raises(AccuracyGateFailed, match="does not compute") as caught:
        check_net_only_package(package, [(vectors[0].inputs, wrong)], cache=libraries)
    assert caught.value.exit_code == 5
    assert "the static plan" in caught.value.details["layer"]  # no layer by itself: the vector was made wrong here


def test_the_first_wrong_layer_is_found(make_package: MakePackage, monkeypatch: pytest.MonkeyPatch) -> None:
    package, vectors = make_package(random_net(1))
    name = package.manifest.layers[1]["name"]
    generator = type(find_generator("c_source"))
    trace = generator.trace

    def broken(self: object, model: bytes, inputs: list[np.ndarray]) -> dict[int, np.ndarray]:
        tensors = trace(self, model, inputs)
        second = sorted(tensors)[2]
        return {**tensors, second: tensors[second] ^ 1}

    monkeypatch.setattr(generator, "trace", broken)
    told = first_generated_difference(package, vectors[0].inputs)
    assert told is not None and f"'{name}'" in told


def test_same_model_same_bytes(tmp_path: Path) -> None:
    net, target = NetOnlyModel("net", random_net(2)), load_target("cortex-m")
    vectors = make_net_only_vectors(net, generate_net_only(net, CODE))
    folders = [
        write_net_only_package(net, target, tmp_path / name, vectors=vectors, code=CODE).path for name in ("one", "two")
    ]
    names = [sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file()) for folder in folders]
    assert names[0] == names[1]
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names[0])


def test_generated_text_keeps_the_house_rules(make_package: MakePackage) -> None:
    package, _ = make_package(random_net(3))
    source = (package.path / "src/esv_model.c").read_text()
    assert source.startswith(f"/* Generated by edge_sv {package.manifest.tool.version} from")
    assert package.manifest.model.sha256 in source.splitlines()[0]
    assert not re.search(r"\b(malloc|free|printf|20\d\d-\d\d)\b", source)
    for number, layer in enumerate(package.manifest.layers):
        assert f"/* {number} {layer['kind']} {layer['name']}:" in source
    assert "\nstatic int" not in (package.path / "src/esv_model_constants.h").read_text(), "constants stay in flash"


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++"])
def test_sources_compile_without_a_warning(make_package: MakePackage, compiler: str) -> None:
    package, _ = make_package(random_net(5))
    language = ["-x", "c++", "-std=c++11"] if compiler == "g++" else ["-std=c99"]
    includes = [f"-I{package.path / folder}" for folder in ("include", "src", "golden")]
    for source in files_of(package.path, "src/*.c", "golden/*.c"):
        run([tool(compiler), *language, *WARNINGS, *includes, "-fsyntax-only", source])


@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m55"])
def test_sources_compile_for_cortex_m(make_package: MakePackage, tmp_path: Path, cpu: str) -> None:
    package, _ = make_package(random_net(5))
    includes = [f"-I{package.path / folder}" for folder in ("include", "src")]
    for source in files_of(package.path, "src/*.c"):
        flags = ["-std=c99", "-O1", f"-mcpu={cpu}", "-mthumb", *WARNINGS, *includes]
        run([tool("arm-none-eabi-gcc"), *flags, "-c", source, "-o", tmp_path / "out.o"])


def test_a_prefix_of_one_s_own(make_package: MakePackage, tmp_path: Path) -> None:
    net = NetOnlyModel("net", random_net(2))
    generated = generate_net_only(net, CodeOptions(prefix="keyword"))
    assert sorted(generated.files) == ["include/keyword.h", "src/keyword.c", "src/keyword_constants.h"]
    assert b"KEYWORD_ARENA_BYTES" in generated.files["include/keyword.h"]


@pytest.mark.parametrize("prefix", ["Upper", "9lives", "with-dash", "", "x" * 41, "esv_net", 'x";'])
def test_what_cannot_begin_a_c_name_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="cannot begin"):
        generate_net_only(NetOnlyModel("net", random_net(2)), CodeOptions(prefix=prefix))


def test_a_plan_that_a_net_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="no streaming plan"):
        generate_net_only(NetOnlyModel("net", random_net(2)), CodeOptions(plan="streaming"))


def test_budgets_hold_for_generated_code(tmp_path: Path) -> None:
    net = NetOnlyModel("net", random_net(2))
    generated = generate_net_only(net, CODE)
    with pytest.raises(DoesNotFit, match="RAM"):
        write_net_only_package(
            net, load_target("cortex-m"), tmp_path / "out", vectors=[], code=CODE, max_ram=generated.ram_bytes - 1
        )
    assert not (tmp_path / "out").exists()


def test_a_bare_package_embeds_nothing(make_package: MakePackage) -> None:
    package, _ = make_package(random_net(2))
    again = read_package(package.path)
    assert again.model == package.model and again.speaker is None
    with pytest.raises(UsageError, match="without a front end"):
        _ = again.artifact


def test_golden_vectors_run_from_the_makefile(make_package: MakePackage) -> None:
    package, vectors = make_package(random_net(6))
    told = run([tool("make"), "-s", "-C", package.path, "CFLAGS=-O0", "golden"])
    assert [line.split(": ") for line in told.splitlines()] == [[vector.name, "passed"] for vector in vectors]


def test_a_model_that_tflm_cannot_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="TensorFlow Lite Micro"):
        run_isolated(random_net(1), [[np.zeros((1, 1), np.int8)]])


@pytest.fixture(scope="module")
def speaker_package(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(tiny_artifact, load_target("cortex-m"), tmp_path_factory.mktemp("speaker") / "package")


def test_memory_is_what_the_c_macros_say(
    speaker_package: DevicePackage, tiny_artifact: ModelArtifact, libraries: Path
) -> None:
    library = ctypes.CDLL(str(compile_library(package_sources(speaker_package), cache=libraries)))
    sizes = speaker_package.manifest.sizes
    counted = memory_bytes(
        tiny_artifact.features,
        state_bytes=sizes.state_bytes,
        frames=tiny_artifact.segments.frames,
        embedding_dim=tiny_artifact.embedding_dim,
        top_n=tiny_artifact.scoring.top_n,
    )
    assert ctypes.c_size_t.in_dll(library, "esv_model_memory_bytes").value == counted == sizes.ram_bytes
    config = ctypes.addressof(ctypes.c_char.in_dll(library, "esv_model_features"))
    library.esv_features_bytes.restype = ctypes.c_size_t
    assert library.esv_features_bytes(ctypes.c_void_p(config)) == features_bytes(tiny_artifact.features)


def test_golden_vectors_of_a_speaker_net_run_from_the_makefile(speaker_package: DevicePackage) -> None:
    told = run([tool("make"), "-s", "-C", speaker_package.path, "CFLAGS=-O0", "golden"])
    assert told.splitlines() == [f"{vector.name}: passed" for vector in speaker_package.manifest.golden]


def test_plans_are_compared() -> None:
    generator = find_generator("c_source")
    model = _bundled("ecapa-small")
    net: GeneratedNet = generator.generate(model, prefix="x", banner="x", speaker=True)
    costs = {cost.name: cost for cost in net.plans}
    assert net.plan == "static" and costs["static"].ram_bytes == net.ram_bytes
    assert costs["streaming"].ram_bytes is None or costs["streaming"].ram_bytes > net.ram_bytes
    assert costs["streaming"].note
