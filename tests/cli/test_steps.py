"""Progress of steps on stderr."""

from __future__ import annotations

import pytest

from edge_sv.cli.steps import show_steps


def test_steps_are_silent_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_steps() as steps:
        for label in ("check", "package"):
            report = steps(label)
            for done in range(4):
                report(done, 3)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_each_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with show_steps() as steps:
        steps("bit-exact")(1, 2)
        steps("cosines")(2, 2)
    err = capsys.readouterr().err
    assert "bit-exact" in err and "cosines" in err and "2/2" in err
