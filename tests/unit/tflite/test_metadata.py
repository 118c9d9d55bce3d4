"""Metadata in a .tflite: readable by any schema reader, the model untouched."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.metadata import embed, extract, strip

ENTRIES = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), st.binary(max_size=300), max_size=4
)


def _run(model: bytes, segment: np.ndarray) -> np.ndarray:
    return LiteRTInterpreter(model).run(segment)[0]


def test_model_computes_the_same_bits(tiny_artifact: ModelArtifact) -> None:
    model = tiny_artifact.model
    carrying = embed(model, {"edge_sv_manifest": b"{}" * 777, "edge_sv_cohort": bytes(range(256))})
    rng = np.random.default_rng(3)
    for _ in range(20):
        segment = rng.integers(-128, 128, (1, 50, 16, 1), dtype=np.int8)
        np.testing.assert_array_equal(_run(carrying, segment), _run(model, segment))


@settings(max_examples=60, deadline=None)
@given(entries=ENTRIES)
def test_entries_come_back_and_the_model_stays_whole(tiny_artifact: ModelArtifact, entries: dict[str, bytes]) -> None:
    model = tiny_artifact.model
    carrying = embed(model, entries)
    assert extract(carrying) == {**extract(model), **entries}
    assert strip(carrying, len(model)) == model
    again = embed(carrying, {"more": b"x"})
    assert extract(again) == {**extract(carrying), "more": b"x"}


@settings(max_examples=30, deadline=None)
@given(entries=ENTRIES)
def test_the_schema_s_own_reader_sees_it(tiny_artifact: ModelArtifact, entries: dict[str, bytes]) -> None:
    carrying = embed(tiny_artifact.model, entries)
    root = schema.Model.GetRootAsModel(carrying, 0)
    seen = {}
    for i in range(root.MetadataLength()):
        buffer = root.Buffers(root.Metadata(i).Buffer())
        seen[root.Metadata(i).Name().decode()] = b"" if buffer.DataIsNone() else buffer.DataAsNumpy().tobytes()
    assert {name: seen[name] for name in entries} == entries
    before, after = parse_model(tiny_artifact.model), parse_model(carrying)
    assert after.version == before.version
    assert after.description == before.description
    assert len(after.subgraphs[0].operators) == len(before.subgraphs[0].operators)


def test_every_buffer_is_aligned_to_16_bytes(tiny_artifact: ModelArtifact) -> None:
    carrying = embed(tiny_artifact.model, {"a": b"1", "bb": b"22", "ccc": b"333"})
    root = schema.Model.GetRootAsModel(carrying, 0)
    buffers = [root.Buffers(i) for i in range(root.BuffersLength())]
    places = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()]
    assert len(places) > 3 and [place % 16 for place in places] == [0] * len(places)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 64, b"\x08\0\0\0TFL3", b"\xff\xff\xff\x7fTFL3" + b"\0" * 64])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    for operation in (extract, lambda model: embed(model, {"name": b"content"})):
        with pytest.raises(DataError, match="not a TensorFlow Lite model"):
            operation(data)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_flipped_byte_is_an_error_or_harmless_never_a_crash(
    tiny_artifact: ModelArtifact, at: int, value: int
) -> None:
    data = bytearray(embed(tiny_artifact.model, {"edge_sv_manifest": b"{}"}))
    data[at % len(data)] = value
    with contextlib.suppress(DataError):
        extract(bytes(data))
