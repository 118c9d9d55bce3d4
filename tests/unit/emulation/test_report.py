"""What an emulated package costs, in time and in JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from edge_sv.emulation.board import load_board
from edge_sv.emulation.line_protocol import Verified
from edge_sv.emulation.reference import Difference
from edge_sv.emulation.report import SECOND_OF_SPEECH, Emulation, OperatorCost

DONE = Emulation(
    board=load_board("nrf52840"),
    package="chip",
    model="tiny",
    plan="streaming",
    differences=(Difference("golden/buzz", 0, 0, 0), Difference("a.wav", 0, 0, 0)),
    instructions={"features": 16_000_000, "inference": 32_000_000, "total": 48_000_000},
    per=SECOND_OF_SPEECH,
    measured="a.wav",
    code_bytes=1,
    flash_bytes=2,
    ram_bytes=3,
    state_bytes=4,
    stack_bytes=5,
    operators=(OperatorCost(0, "stem", "CONV_2D", 7, 8),),
    verified=(Verified("a.wav", score=0.75, threshold=0.5, accepted=True),),
)


def test_instructions_become_time_at_the_part_s_clock() -> None:
    assert dataclasses.replace(DONE, instructions={"total": 64_123}).to_dict()["estimated_ms"] == {"total": 1.002}
    assert DONE.milliseconds() == pytest.approx({"features": 250.0, "inference": 500.0, "total": 750.0})


@pytest.mark.parametrize(("total", "per", "slow"), [(64e6, True, False), (64e6 + 1, True, True), (65e6, False, False)])
def test_slower_than_real_time(total: float, per: bool, slow: bool) -> None:
    counted = {"total": int(total)}
    each = SECOND_OF_SPEECH if per else "invocation"
    assert dataclasses.replace(DONE, instructions=counted, per=each).slower_than_real_time is slow


def test_one_difference_is_enough() -> None:
    assert DONE.bit_exact
    assert not dataclasses.replace(DONE, differences=(*DONE.differences, Difference("b", 0, 1, 0))).bit_exact


def test_the_document_has_everything() -> None:
    document = json.loads(json.dumps(DONE.to_dict()))
    assert (document["accepted"], document["score"], document["threshold"]) == (True, 0.75, 0.5)
    assert document["operators"][0]["name"] == "stem" and document["checks"][1]["name"] == "a.wav"
    assert document["estimated_ms"]["total"] == 750.0 and document["clock_hz"] == 64_000_000
    assert document["flash_limit_bytes"] == 1 << 20 and document["ram_limit_bytes"] == 1 << 18
    alone = dataclasses.replace(DONE, verified=()).to_dict()
    assert alone["accepted"] is alone["score"] is None
