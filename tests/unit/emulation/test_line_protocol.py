"""The host's side of the line protocol, against answers as a device gives them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edge_sv.emulation.line_protocol import MAX_DATA_BYTES, Exchange, make_script, read_answers, read_decision, reason
from edge_sv.errors import DataError
from edge_sv.system.bundled import targets_dir

PCM = np.arange(MAX_DATA_BYTES // 2 + 3, dtype=np.int32).astype(np.int16)


def test_a_recording_is_sent_whole_in_frames_that_a_device_takes() -> None:
    exchange = Exchange("a", PCM, "ENROLL ada")
    begin, first, second, end, command = exchange.lines()
    assert (begin, end, command) == (b"BEGIN\n", b"END\n", b"ENROLL ada\n")
    sent = b"".join(line.split(b"\n", 1)[1] for line in (first, second))
    assert first.startswith(b"DATA 32768\n") and second.startswith(b"DATA 6\n")
    np.testing.assert_array_equal(np.frombuffer(sent, "<i2"), PCM)
    assert make_script([exchange, exchange]) == 2 * b"".join(exchange.lines())


def test_the_answer_that_matters_is_the_first_error_or_the_last_line() -> None:
    exchanges = [Exchange(name, PCM[:4], "VERIFY ada") for name in "abc"]
    silent = "ERROR -17 the recording is silent: check the microphone and its gain"
    order = "ERROR -16 no recording to do that with"
    good = "OK REJECTED score=0.250000 threshold=0.500000"
    answers = ["OK", "OK", "OK ms=3", good, "OK", "OK", silent, order, "OK", "OK", "OK ms=3", good]
    assert read_answers(exchanges, answers) == [good, silent, good]
    with pytest.raises(DataError, match="did not answer every line"):
        read_answers(exchanges, answers[:-1])


def test_decisions() -> None:
    accepted = read_decision("a", "OK ACCEPTED score=0.912345 threshold=0.500000")
    assert (accepted.score, accepted.threshold, accepted.accepted, accepted.refused) == (0.912345, 0.5, True, None)
    assert not read_decision("a", "OK REJECTED score=-0.100000 threshold=0.500000").accepted
    refused = read_decision("a", "ERROR -17 the recording is silent")
    assert (refused.accepted, refused.score, refused.refused) == (False, None, "the recording is silent")
    assert reason("ERROR -2 no room") == "no room"


@pytest.mark.parametrize(
    "answer",
    [
        "OK recordings=1",
        "OK ACCEPTED score=loud threshold=0.500000",
        "OK ACCEPTED score=nan threshold=0.500000",
        "OK ACCEPTED score=1e999 threshold=0.500000",
        "OK ACCEPTED score=0.900000 threshold=0.500000 and more",
        "OK ACCEPTED score=" + "9" * 5000 + ".0 threshold=0.500000",
        "",
    ],
)
def test_what_is_neither_a_decision_nor_an_error_is_refused(answer: str) -> None:
    with pytest.raises(DataError, match=r"answer to VERIFY of a\.wav is no decision") as caught:
        read_decision("a.wav", answer)
    assert len(str(caught.value)) < 400


def test_reasons_of_any_length_are_cut() -> None:
    refused = read_decision("a", "ERROR -17 " + "the recording is silent " * 1000).refused
    assert refused is not None and refused.startswith("the recording is silent") and len(refused) < 300


def test_frames_of_data_are_no_longer_than_a_device_takes() -> None:
    header = (targets_dir() / "common" / "include" / "esv_protocol.h").read_text()
    (most,) = re.findall(r"#define ESV_PROTOCOL_MAX_DATA (\d+)u", header)
    assert int(most) >= MAX_DATA_BYTES and MAX_DATA_BYTES % 2 == 0
