"""`edge-sv analyze`, the group of commands."""

from __future__ import annotations

from tests.cli.commands import Run


def test_an_unknown_analysis(run: Run) -> None:
    ran = run("analyze", "wieghts", "resnet-nano")
    assert ran.code == 2 and "did you mean 'weights'?" in ran.err


def test_the_group_lists_its_commands(run: Run) -> None:
    ran = run("analyze")
    assert ran.code == 0
    assert all(name in ran.out for name in ("weights", "layers", "drift", "probe", "languages"))
