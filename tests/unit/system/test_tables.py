"""CSV tables of spreadsheets, editors and other systems are the same table."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from edge_sv.system.tables import UNREADABLE, parse_table, read_table

PLAIN = 'path,speaker\na.wav,ada\n"b, c.wav",bea\n'


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "  \n").replace(",s", " , s"),
        PLAIN + "\n\n",
        PLAIN + "  \n,\n",
        PLAIN.rstrip("\n"),
    ],
    ids=["plain", "byte-order mark", "CRLF", "CR", "spaces", "empty lines", "lines of nothing", "no last line end"],
)
def test_forms_of_one_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    table = read_table(tmp_path / "a.csv")
    assert table.columns == ("path", "speaker")
    assert [dict(row) for _, row in table.rows] == [
        {"path": "a.wav", "speaker": "ada"},
        {"path": "b, c.wav", "speaker": "bea"},
    ]
    assert table.lacks(("speaker", "split")) == ["split"]


def test_lines_are_counted_as_in_an_editor() -> None:
    table = parse_table('a,b\n\n"1\n2",3\n4\n5,6,7\n')
    assert [line for line, _ in table.rows] == [4, 5, 6]
    assert table.rows[1][1] == {"a": "4", "b": None} and table.rows[2][1] == {"a": "5", "b": "6", None: ["7"]}


def test_an_empty_file_has_no_columns() -> None:
    assert parse_table("") == parse_table("\n\n")
    assert parse_table("").columns == ()


@pytest.mark.parametrize("data", [b"a,b\n\xff\n", b"a\n\0\n", b"a\n" + b"x" * (csv.field_size_limit() + 1)])
def test_what_is_no_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(UNREADABLE):
        read_table(tmp_path / "a.csv")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(OSError, match="a pipe"):
        read_table(tmp_path / "a.csv")
