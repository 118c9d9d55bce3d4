"""Generators: what a package takes of the portable C, and that the installed one keeps the protocol's promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import UsageError
from edge_sv.plugins.generator import (
    DEFAULT_CODE,
    DEFAULT_GENERATOR,
    ConstantBytes,
    Generator,
    common_sources,
    find_generator,
)
from edge_sv.system.bundled import targets_dir


@pytest.fixture
def generator() -> Generator:
    return find_generator()


def test_sources_come_with_the_headers_that_name_them_and_what_these_include() -> None:
    taken = common_sources({"src/net.c": b'#include <stdint.h>\n#include "esv_mul.h"\n#include "own.h"\n'})
    assert {"include/esv_mul.h", "src/esv_mul.c"} <= set(taken)
    assert "own.h" not in str(taken) and "src/esv_conv.c" not in taken
    for name, data in taken.items():
        assert (targets_dir() / "common" / name).read_bytes() == data
        included = {line.split(b'"')[1].decode() for line in data.splitlines() if line.startswith(b'#include "')}
        assert included <= {path.rpartition("/")[2] for path in taken}, name


def test_sources_of_one_header_in_parts() -> None:
    parts = {name for name in common_sources({"a.c": b'#include "esv_store.h"\n'}) if "esv_store" in name}
    assert parts == {"include/esv_store.h", "src/esv_store.c", "src/esv_store_log.c", "src/esv_store_log.h"}


def test_the_same_model_gives_the_same_code(generator: Generator, tiny_artifact: ModelArtifact) -> None:
    def write() -> object:
        return generator.generate(tiny_artifact.model, prefix="mine", banner="A banner.", speaker=True)

    assert write() == write()


def test_what_is_written_begins_with_the_banner_and_has_the_prefix(
    generator: Generator, tiny_artifact: ModelArtifact
) -> None:
    net = generator.generate(tiny_artifact.model, prefix="mine", banner="A banner.", speaker=True)
    assert net.files and all(data.decode().startswith("/* A banner.") for data in net.files.values())
    assert "include/mine.h" in net.files
    assert net.plan in {plan.name for plan in net.plans if plan.ram_bytes is not None}
    assert net.ram_bytes == min(plan.ram_bytes for plan in net.plans if plan.ram_bytes is not None)
    assert net.constant_bytes == sum(constant.bytes for constant in net.constants) > 0
    assert {constant.part for constant in net.constants} >= {"weights", "bias", "multiplier", "shift"}
    assert all(isinstance(constant, ConstantBytes) and constant.bytes > 0 for constant in net.constants)


def test_every_plan_can_be_asked_for(generator: Generator, tiny_artifact: ModelArtifact) -> None:
    make: Callable[..., object] = generator.generate
    free = generator.generate(tiny_artifact.model, prefix="mine", banner="", speaker=True)
    for plan in free.plans:
        if plan.ram_bytes is None:
            with pytest.raises(UsageError, match=f"no {plan.name} plan"):
                make(tiny_artifact.model, prefix="mine", banner="", speaker=True, plan=plan.name)
            continue
        net = generator.generate(tiny_artifact.model, prefix="mine", banner="", speaker=True, plan=plan.name)
        assert (net.plan, net.ram_bytes) == (plan.name, plan.ram_bytes)


def test_bits_that_a_generator_states(generator: Generator) -> None:
    widths = generator.weight_costs.bit_widths
    assert list(widths) == sorted(widths) and widths[-1] == 8
    assert generator.activation_bits == (8,)


def test_names() -> None:
    assert DEFAULT_CODE.prefix == "esv_model" and DEFAULT_CODE.plan is None
    with pytest.raises(UsageError, match=f"did you mean '{DEFAULT_GENERATOR}'"):
        find_generator("csource")
