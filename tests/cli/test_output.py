"""What commands print: one JSON document, rows, and tables that lose nothing where it is narrow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from edge_sv.cli.output import plot_option, print_json, print_rows, print_table
from edge_sv.errors import UsageError


def make_table() -> Table:
    table = Table("layer", title="what it holds", box=None, pad_edge=False)
    table.add_column("bytes", justify="right", footer="sum 1,234")
    table.add_column("description")
    table.add_row("stage1_block1_conv1", "1,234", "a convolution with [bold] brackets")
    table.add_row("fc", "-", Text("the last one", style="red"))
    return table


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_table_loses_nothing(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(make_table())
    out = capsys.readouterr().out
    for word in ("stage1_block1_conv1", "1,234", "convolution", "[bold]", "brackets", "fc", "last"):
        assert word in out
    assert "…" not in out
    if width >= 60:
        assert max(map(len, out.splitlines())) <= width


def test_a_narrow_table_becomes_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_table(make_table())
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["what it holds", "layer stage1_block1_conv1", "  bytes 1,234"]


def test_sums_are_kept_in_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    table = make_table()
    table.show_footer = True
    print_table(table)
    assert "  bytes sum 1,234" in capsys.readouterr().out.splitlines()


def test_a_terminal_is_not_controlled(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name")
    table.add_row("red\x1b[31m.wav")
    print_table(table)
    print_rows([("print", "two\nlines\x1b[2J")])
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\\x1b[31m" in out and "two\\nlines" in out


def test_rows_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([("score", "0.9"), ("decision", "accepted")])
    assert capsys.readouterr().out == "score     0.9\ndecision  accepted\n"


def test_a_document_begins_with_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Ådå", "raw": "\udce9"})
    out = capsys.readouterr().out
    assert list(json.loads(out)) == ["schema_version", "name", "raw"] and "Ådå" in out


def test_a_plot_is_refused_before_the_work() -> None:
    check = plot_option("Draw.").callback
    assert check(None) is None and check(Path("a.PNG")) == Path("a.PNG")
    with pytest.raises(UsageError, match=r"written as a\.jpg") as caught:
        check(Path("a.jpg"))
    assert ".svg, .png, .pdf" in str(caught.value)


@pytest.mark.parametrize("columns", ["0", "-3", "wide", ""])
def test_a_width_that_is_none_hides_nothing(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_table(make_table())
    assert "stage1_block1_conv1  " in capsys.readouterr().out
