"""What CONTRIBUTING says of adding things is tried: one of each is added to a copy, in the files it names, and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_sv.system.extras import has_extra
from tests.checkout import REPOSITORY, copy_checkout
from tests.firmware.conftest import tool

needs_tensorflow = pytest.mark.skipif(not has_extra("train"), reason="pip install 'edge-sv[train]'")
Line = tuple[str, str]
"""A line of a file, and what is put below it."""


@dataclass(frozen=True)
class Copy:
    """A copy of the repository, and a folder for distributions of one's own; both are on Python's path.

    Args:
        checkout: the copy.
        own: the folder.
    """

    checkout: Path
    own: Path

    def add(self, heading: str, files: Mapping[str, str | Sequence[Line]]) -> None:
        """Write new files, or put lines into others; all must be named in that section of CONTRIBUTING."""
        for name, text in files.items():
            assert any(re.fullmatch(pattern, name) for pattern in named_files(heading)), f"{name} is not named there"
            path = self.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, str):
                path.write_text(text)
                continue
            for line, below in text:
                assert path.read_text().count(f"{line}\n") == 1, f"{name} has no line '{line}'"
                path.write_text(path.read_text().replace(f"{line}\n", f"{line}\n{below}\n"))

    def install(self, name: str, source: str, entry_points: str) -> None:
        """Put a distribution of one module on the path."""
        about = self.own / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(entry_points)
        (self.own / f"{name}.py").write_text(source)

    def run(self, *words: str) -> str:
        """Run `edge-sv`, or Python after `-c`, with the copy's code; return what it printed."""
        path = os.pathsep.join(map(str, (self.checkout, self.checkout / "converters", self.own)))
        variables = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
        variables["XDG_CACHE_HOME"] = str(self.own / ".cache")
        command = [sys.executable, *(words if words[0] == "-c" else ("-m", "edge_sv", *words))]
        done = subprocess.run(command, cwd=self.checkout, env=variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def named_files(heading: str) -> list[str]:
    """List the files that a section of CONTRIBUTING names, as patterns."""
    sections = re.split(r"^### ", (REPOSITORY / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    (section,) = [section for section in sections if section.startswith(f"{heading}\n")]
    places = re.findall(r"^- (`.*?`):", section, re.MULTILINE)
    names = [re.escape(name) for place in places for name in re.findall(r"`([^`]+)`", place)]
    return [re.sub("NAME", r"[\\w-]+", name) + (".*" if name.endswith("/") else "") for name in names]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(copy_checkout(tmp_path_factory.mktemp("checkout")), tmp_path_factory.mktemp("own"))


BOARD = """\
description = "A board of mine: Cortex-M4F"
package = "cortex-m"
converter = "tflite"
cpu = "cortex-m4"
clock_hz = 100_000_000
flash_bytes = 300_000
ram_bytes = 120_000
fpu = true
toolchain = "arm-none-eabi"
emulator = "mps2-an386"
"""


@pytest.fixture(scope="module")
def board(copy: Copy) -> str:
    copy.add("A board", {"targets/boards/my-board/target.toml": BOARD})
    return "my-board"


def test_a_board_is_listed_and_limits_a_build(copy: Copy, board: str) -> None:
    targets = {target["name"]: target for target in json.loads(copy.run("targets", "--json"))["targets"]}
    assert (targets[board]["ram_bytes"], targets[board]["emulator"]) == (120_000, "mps2-an386")
    built = json.loads(copy.run("build", "resnet-nano", "--target", board, "--check", "recorded", "--json"))
    assert built["target"] == board and built["ram_bytes"] <= 120_000


@pytest.mark.emulator
def test_a_board_runs_a_package(copy: Copy, board: str) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    copy.run("build", "resnet-nano", "--target", "cortex-m", "--check", "recorded", "--out", "package")
    voice = next((REPOSITORY / "assets" / "voices").glob("*.flac"))
    words = ("--enroll", str(voice), "--verify", str(voice), "--board", board, "--json")
    assert json.loads(copy.run("emulate", "package", *words))["board"] == board


FAMILY = '''\
"""One convolution and an embedding."""

from dataclasses import dataclass

import tf_keras

from edge_sv.models.family import Family
from edge_sv.models.layer_names import POOL, STEM
from edge_sv.models.layers import conv, embedding, input_features
from edge_sv.models.pooling import pool_time


@dataclass(frozen=True)
class PlainConfig:
    """The shape of a plain net."""

    channels: int = 8
    embedding_dim: int = 16


def build_plain(config, *, frames, num_mels):
    """Build the net."""
    features = input_features(frames, num_mels)
    x = conv(conv(features, config.channels, 3, strides=2, name=STEM), config.channels, 3, name="second_conv")
    return tf_keras.Model(features, embedding(pool_time(x, "deviation", name=POOL), config.embedding_dim))


FAMILY = Family(PlainConfig, build_plain, convolutions=("second_conv",))
'''


@needs_tensorflow
def test_a_family_of_nets_is_built_and_passes_the_tests_of_every_family(copy: Copy) -> None:
    copy.add(
        "A family of nets",
        {
            "edge_sv/models/plain.py": FAMILY,
            "edge_sv/models/families.py": [
                ("from edge_sv.models.family import Family", "from edge_sv.models import plain"),
                ("FAMILIES: dict[str, Family] = {", '    "plain": plain.FAMILY,'),
            ],
            "edge_sv/models/presets.py": [
                ("from edge_sv.models.family import NetConfig", "from edge_sv.models.plain import PlainConfig"),
                ("PRESETS: dict[str, tuple[str, NetConfig]] = {", '    "plain-8": ("plain", PlainConfig()),'),
            ],
            "tests/families.py": [
                ("FAMILIES: Mapping[str, Mapping[str, Any]] = {", '    "plain": {"channels": 4, "embedding_dim": 8},'),
            ],
        },
    )
    code = "from edge_sv.models.presets import build_preset\nprint(build_preset('plain-8').output_shape)"
    assert copy.run("-c", code).strip() == "(None, 16)"
    tests = ["tests/unit/models/test_families.py", "tests/unit/models/test_layer_names.py"]
    passed = copy.run("-c", f"import pytest; pytest.main(['-q', *{tests}, '-k', 'plain'])")
    assert re.search(r"^\d\d passed", passed, re.MULTILINE), passed


TERNARY = '''\
"""Three values, -1, 0 and 1."""

import numpy as np

from edge_sv.recipes.grid import Grid, stretch_codebook


def ternary(normalized, bits) -> Grid:
    """Space three values evenly."""
    return stretch_codebook(normalized, bits, np.array([-127, 0, 127]))
'''
RECIPE = """\
name = "ternary_w2_ai8"
description = "Three values"

[[rules]]
match = "*"
weights = 2
quantizer = "ternary"
"""


COMPRESS = """\
import numpy as np
from edge_sv.compress.methods import choose_method
from edge_sv.recipes.reading import load_recipe
from tests.families import build_tiny
model = build_tiny("xvector")
palettes = choose_method(model, load_recipe("ternary.toml")).finish(model, model.get_weights()).palettes
assert set(palettes) == {layer.name for layer in model.layers if hasattr(layer, "kernel")}
print(sorted({int(np.sign(code)) for palette in palettes.values() for code in palette.codes.ravel()}))
"""


@needs_tensorflow
def test_a_quantizer_is_used_by_a_recipe(copy: Copy) -> None:
    copy.add(
        "A quantizer",
        {
            "edge_sv/recipes/ternary.py": TERNARY,
            "edge_sv/recipes/quantizers.py": [
                (
                    "from edge_sv.recipes.grid import Grid, normalize_channels",
                    "from edge_sv.recipes.ternary import ternary",
                ),
                ("METHODS: dict[str, Method] = {", '    "ternary": Method(range(2, 3), "Keep -1, 0 and 1", ternary),'),
            ],
        },
    )
    (copy.checkout / "ternary.toml").write_text(RECIPE)
    assert "Keep -1, 0 and 1" in copy.run("recipes", "ternary.toml")
    assert copy.run("-c", COMPRESS).strip() == "[-1, 0, 1]"


RUNTIME = '''\
"""LiteRT's reference kernels."""

from edge_sv.runtimes.litert import LiteRTInterpreter


class ReferenceInterpreter(LiteRTInterpreter):
    """One model."""

    def __init__(self, model: bytes) -> None:
        super().__init__(model, reference_kernels=True)
'''
EMBEDDER = '''\
"""LiteRT's reference kernels."""

from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.runtimes.reference import ReferenceInterpreter
from edge_sv.system.code_version import code_identity


class ReferenceEmbedder(IntegerEmbedder):
    """Runs an artifact."""

    def __init__(self, artifact, _threads=1) -> None:
        super().__init__(artifact, ReferenceInterpreter(artifact.model))

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        return code_identity(__name__, libraries=("ai-edge-litert", "numpy"))
'''


def test_a_runtime_scores_a_list_of_trials(copy: Copy) -> None:
    copy.add(
        "A runtime",
        {
            "edge_sv/runtimes/reference.py": RUNTIME,
            "edge_sv/embedders/reference.py": EMBEDDER,
            "edge_sv/embedders/open.py": [
                (
                    "from edge_sv.embedders.tflm import TflmEmbedder",
                    "from edge_sv.embedders.reference import ReferenceEmbedder",
                ),
                (
                    "ARTIFACT_RUNTIMES: dict[str, Callable[[ModelArtifact, int], Embedder]] = {",
                    '    "reference": ReferenceEmbedder,',
                ),
            ],
        },
    )
    voices = sorted((REPOSITORY / "assets" / "voices").glob("*.flac"))
    trials = [f"{int(a.stem[:3] == b.stem[:3])} {a.name} {b.name}" for a in voices[:6] for b in voices[6:9]]
    (copy.checkout / "trials.txt").write_text("\n".join([f"1 {voices[0].name} {voices[0].name}", *trials, ""]))
    words = ("--trials", "trials.txt", "--audio", str(voices[0].parent), "--json")
    results = [
        json.loads(copy.run("evaluate", "resnet-nano", *words, "--runtime", name)) for name in ("reference", "tflm")
    ]
    assert results[0]["eer"] == results[1]["eer"] and results[0]["threshold"] == results[1]["threshold"]


OPERATOR = '''\
"""FLOOR and CEIL of float32."""

from edge_sv_converters.c_source.calls import ElementCall, Struct


def lower(operation):
    """Lower a FLOOR or CEIL."""
    params = Struct("esv_floor_params", {"up": int(operation.kind == "CEIL")})
    inputs = (operation.input(0),)
    call = ElementCall(
        operation=operation, inputs=inputs, output=operation.output, kernel="esv_floor_f32", header="esv_floor.h",
        params=params,
    )
    return (call,)
'''
HEADER = """\
#ifndef ESV_FLOOR_H
#define ESV_FLOOR_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int32_t up;
} esv_floor_params;

void esv_floor_f32(const esv_floor_params *params, const float *a, float *out, size_t count);

#endif
"""
KERNEL = """\
#include "esv_floor.h"

#include <math.h>

void esv_floor_f32(const esv_floor_params *params, const float *a, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = params->up ? ceilf(a[i]) : floorf(a[i]);
}
"""
TRACE = """\
import numpy as np
from edge_sv.plugins.generator import find_generator
from tests.converters.single_operator import Spec, make_model
values = np.linspace(-3, 3, 24, dtype=np.float32).reshape(1, 4, 6)
for kind, function in (("FLOOR", np.floor), ("CEIL", np.ceil)):
    model = make_model(kind, [Spec((1, 4, 6), dtype="float32")], [Spec((1, 4, 6), dtype="float32")])
    np.testing.assert_array_equal(find_generator().trace(model, [values])[1], function(values))
    print(kind)
"""


def test_an_operator_is_compiled_and_computes(copy: Copy) -> None:
    tool("gcc")
    operators = "converters/edge_sv_converters/c_source/operators"
    copy.add(
        "An operator of the generated C",
        {
            f"{operators}/floor.py": OPERATOR,
            f"{operators}/table.py": [
                ("    floats,", "    floor,"),
                ("LOWERINGS: dict[str, Lower] = {", '    "CEIL": floor.lower,\n    "FLOOR": floor.lower,'),
            ],
            "targets/common/include/esv_floor.h": HEADER,
            "targets/common/src/esv_floor.c": KERNEL,
        },
    )
    assert copy.run("-c", TRACE).split() == ["FLOOR", "CEIL"]


ECOSYSTEM = """\
description = "A library for the Arduino IDE"
package = "cortex-m"
templates = "package"
converter = "tflite"
"""
PROPERTIES = "name={{ manifest.model.name }}\nversion={{ manifest.tool.version }}\nincludes={{ prefix }}.h\n"


def test_an_ecosystem_is_a_folder_of_templates(copy: Copy) -> None:
    copy.add(
        "An ecosystem",
        {
            "targets/arduino/target.toml": ECOSYSTEM,
            "targets/arduino/package/library.properties.j2": PROPERTIES,
        },
    )
    copy.run("build", "resnet-nano", "--target", "arduino", "--check", "recorded", "--out", "library")
    library = copy.checkout / "library"
    assert "name=resnet-nano" in (library / "library.properties").read_text()
    assert (library / "src" / "esv.c").is_file() and not (library / "CMakeLists.txt").exists()


KIND = """\
from edge_sv.package.budget import Footprint
from edge_sv.package.describe import MODEL_FILE, common_files, describe, seal
from edge_sv.package.kind import PackageKind
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats, used_operators


class Flat(PackageKind):
    runs_in_tflm = False

    def measure(self, artifact, code):
        return Footprint(model_bytes=len(artifact.model))

    def make_files(self, artifact, target, footprint, check, code):
        model = parse_model(artifact.model)
        formats, kinds = tensor_formats(model), used_operators(model)
        manifest = describe(artifact, target, footprint, formats=formats, operators=kinds, golden=(), check=check)
        return seal(manifest, {MODEL_FILE: artifact.model, "flat.ini": b"[net]", **common_files(artifact, ())})
"""


def test_a_kind_of_package_comes_from_another_distribution(copy: Copy) -> None:
    copy.install("flat_kind", KIND, "[edge_sv.packages]\nflat = flat_kind:Flat\n")
    folder = copy.checkout / "flat"
    folder.mkdir()
    (folder / "target.toml").write_text('description = "flat"\npackage = "flat"\nconverter = "tflite"\n')
    words = ("--target", "flat/target.toml", "--check", "recorded", "--out", "flat/out", "--json")
    assert json.loads(copy.run("build", "resnet-nano", *words))["model_bytes"] > 0
    assert json.loads((folder / "out" / "manifest.json").read_text())["target"]["package"] == "flat"
    assert (folder / "out" / "flat.ini").read_text() == "[net]"


CONVERTER = """\
from edge_sv_converters.tflite import TfliteConverter


class Mine(TfliteConverter):
    name = "mine"
"""


def test_a_converter_is_found_by_its_name(copy: Copy) -> None:
    copy.install("my_format", CONVERTER, "[edge_sv.converters]\nmine = my_format:Mine\n")
    code = "from edge_sv.plugins.converter import find_converter\nprint(find_converter('mine').name)"
    assert copy.run("-c", code).strip() == "mine"
