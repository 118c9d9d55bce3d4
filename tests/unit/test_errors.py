"""What an error says, and the code that it ends with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv import errors

EXIT_CODES = {
    "EdgeSvError": 1,
    "UsageError": 2,
    "DataError": 3,
    "DoesNotFit": 4,
    "AccuracyGateFailed": 5,
    "ToolMissing": 6,
}


def test_details_and_hint_stand_in_one_column_below_the_message() -> None:
    error = errors.DoesNotFit(
        "layer 'stage3_block2_conv1' needs 4-bit weights; target 'cortex-m0' runs 8",
        details={"recipe": "static_wi4_ai8, rule 3"},
        hint="set weights = 8 in that rule",
    )
    assert str(error) == (
        "layer 'stage3_block2_conv1' needs 4-bit weights; target 'cortex-m0' runs 8\n"
        "  recipe   static_wi4_ai8, rule 3\n"
        "  try      set weights = 8 in that rule"
    )


def test_a_message_can_stand_alone() -> None:
    assert str(errors.DataError("the list is empty")) == "the list is empty"
    assert str(errors.DataError("the list is empty", hint="fill it")) == "the list is empty\n  try   fill it"


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,12}", fullmatch=True), st.from_regex(r"[!-~]{1,20}", fullmatch=True)))
def test_every_detail_is_printed_in_order_and_aligned(details: dict[str, str]) -> None:
    lines = str(errors.EdgeSvError("what", details=details)).split("\n")
    assert lines[0] == "what"
    assert [tuple(line.split()) for line in lines[1:]] == list(details.items())
    assert len({len(line) - len(text) for line, text in zip(lines[1:], details.values(), strict=True)}) <= 1


def test_exit_codes_are_those_of_the_command_line() -> None:
    classes = {name: getattr(errors, name) for name in EXIT_CODES}
    assert {name: kind.exit_code for name, kind in classes.items()} == EXIT_CODES
    assert set(classes.values()) - {errors.EdgeSvError} == set(errors.EdgeSvError.__subclasses__())


@pytest.mark.parametrize(
    ("name", "near"), [("resnet-nan", "resnet-nano"), ("ecapa", "ecapa-small"), ("resnet_thin", "resnet-thin")]
)
def test_an_unknown_name_gets_the_nearest_one(name: str, near: str) -> None:
    error = errors.unknown_name("model", name, ["resnet-thin", "ecapa-small", "resnet-nano"])
    assert error.exit_code == 2
    assert str(error) == (
        f"unknown model '{name}'\n  known   ecapa-small, resnet-nano, resnet-thin\n  try     did you mean '{near}'?"
    )


def test_a_name_like_no_other_gets_the_list_alone() -> None:
    assert errors.unknown_name("target", "zzz", ["tflite"]).hint is None
    assert "known   none" in str(errors.unknown_name("target", "tflite", []))


def test_a_name_that_is_known_twice_is_listed_once() -> None:
    assert errors.unknown_name("model", "x", ["b", "a", "b"]).details == {"known": "a, b"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied", "/secret"), "Permission denied"),
        (OSError("the device is gone"), "the device is gone"),
        (ValueError("no number"), "no number"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_reason_has_no_number_and_no_name(error: Exception, reason: str) -> None:
    assert errors.reason_of(error) == reason
