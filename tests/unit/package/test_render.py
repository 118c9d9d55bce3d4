"""Templates: what is rendered and what is copied, C that reads back to the same numbers, errors that name the file."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.errors import DataError
from edge_sv.package.render import c_bytes, c_float, c_floats, c_ints, c_string, render_folder


def folder_of(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_templates_are_rendered_and_all_else_is_copied(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        src__a_dot_c_dot_j2="int x = {{ value }};\n\n",
        none_dot_j2="{% if value > 5 %}never{% endif %}\n",
        raw_dot_bin=b"\x00{{ value }}\xff",
    )
    assert render_folder(folder, {"value": 3}) == {"src/a.c": b"int x = 3;\n", "raw.bin": b"\x00{{ value }}\xff"}


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("{{ banner }}\n{{ vlaue }}", "'vlaue' is undefined"),
        ("fine\n{% if value %}", "line 2: Unexpected end of template"),
        ("{{ value | c_byte }}", "No filter named 'c_byte'"),
        (b"\xff", "utf-8"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_named(tmp_path: Path, text: str | bytes, got: str) -> None:
    folder = folder_of(tmp_path, deep__about_dot_txt_dot_j2=text)
    with pytest.raises(DataError, match=r"template deep/about\.txt\.j2 cannot be rendered") as caught:
        render_folder(folder, {"value": 1, "banner": "b"})
    assert got in caught.value.details["got"]
    assert caught.value.details["it may use"] == "banner, value"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_to_the_same_bits(value: float) -> None:
    text = c_float(value)
    assert text.endswith("f") and ("." in text or "e" in text)
    assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()


@given(st.text())
def test_a_string_reads_back_to_the_same_bytes(text: str) -> None:
    literal = c_string(text)
    assert literal.isascii() and "?" not in literal, "a trigraph would be another character"
    assert ast.literal_eval(f"b{literal}") == text.encode()


def test_numbers_are_written_row_by_row_in_lines_that_fit() -> None:
    values = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    text = c_ints(values)
    assert max(map(len, text.splitlines())) <= 110
    assert [int(item) for item in text.replace("\n", " ").split(",")[:-1]] == values.ravel().tolist()
    assert c_bytes(b"\x00\xff").split() == ["0x00,", "0xff,"]
    floats = np.array([1.5, -2e-20, 3.0], np.float32)
    assert [np.float32(item[:-1]) for item in c_floats(floats).replace(",", " ").split()] == floats.tolist()
