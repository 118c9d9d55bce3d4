"""`-q` and `-v`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from edge_sv.cli.output import err_console, progress_bar
from edge_sv.cli.verbosity import LOGGER, Verbosity, set_verbosity, shared_options, verbosity


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    set_verbosity(Verbosity.NORMAL)


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        (Verbosity.QUIET, {"error"}),
        (Verbosity.NORMAL, {"error", "warning"}),
        (Verbosity.VERBOSE, {"error", "warning", "info", "debug"}),
    ],
)
def test_what_is_logged(chosen: Verbosity, shown: set[str], caplog: pytest.LogCaptureFixture) -> None:
    set_verbosity(chosen)
    assert verbosity() is chosen
    log = logging.getLogger(f"{LOGGER.name}.anything")
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)(level)
    assert {record.message for record in caplog.records} == shown


def test_quiet_hides_notes_and_progress() -> None:
    assert not err_console().quiet
    set_verbosity(Verbosity.QUIET)
    assert err_console().quiet and progress_bar().disable


def test_the_options_have_short_names() -> None:
    assert [option.opts for option in shared_options()] == [["-q", "--quiet"], ["-v", "--verbose"]]
