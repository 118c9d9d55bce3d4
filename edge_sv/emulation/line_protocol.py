"""The host's side of the line protocol: what to send to a device, and what its answers say (docs/protocol.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_sv.errors import DataError
from edge_sv.system.array_types import Int16

MAX_DATA_BYTES = 32768
_SHOWN = 200
"""Letters of an answer, which may be of any length, in a message."""
_DECISION = re.compile(r"OK (ACCEPTED|REJECTED) score=(-?\d{1,9}\.\d{1,9}) threshold=(-?\d{1,9}\.\d{1,9})")


@dataclass(frozen=True)
class Verified:
    """What the device decided about a recording; `refused` is why it decided nothing."""

    recording: str
    score: float | None
    threshold: float | None
    accepted: bool
    refused: str | None = None


@dataclass(frozen=True)
class Exchange:
    """A recording and what is to be done with it.

    Args:
        name: of the recording.
        pcm: (num_samples,) int16.
        command: the line that follows it, `ENROLL ada` or `VERIFY ada`.
    """

    name: str
    pcm: Int16
    command: str

    def lines(self) -> list[bytes]:
        """Return what to send; each has one answer."""
        data = self.pcm.astype("<i2").tobytes()
        frames = [data[at : at + MAX_DATA_BYTES] for at in range(0, len(data), MAX_DATA_BYTES)]
        sent = [b"DATA %d\n%s" % (len(frame), frame) for frame in frames]
        return [b"BEGIN\n", *sent, b"END\n", self.command.encode() + b"\n"]


def make_script(exchanges: Sequence[Exchange]) -> bytes:
    """Return the bytes of a dialogue."""
    return b"".join(line for exchange in exchanges for line in exchange.lines())


def read_answers(exchanges: Sequence[Exchange], answers: Sequence[str]) -> list[str]:
    """Return the answer that matters of each exchange: the first error, or else the last line.

    Raises:
        DataError: there are fewer or more answers than lines were sent.
    """
    counts = [len(exchange.lines()) for exchange in exchanges]
    if sum(counts) != len(answers):
        raise DataError(
            "the device did not answer every line", details={"sent": str(sum(counts)), "answered": str(len(answers))}
        )
    waiting: Iterator[str] = iter(answers)
    found = []
    for count in counts:
        mine = [next(waiting) for _ in range(count)]
        found.append(next((line for line in mine if line.startswith("ERROR")), mine[-1]))
    return found


def read_decision(name: str, answer: str) -> Verified:
    """Read the answer to VERIFY about a recording.

    Raises:
        DataError: it is neither a decision nor an error.
    """
    if answer.startswith("ERROR"):
        return Verified(name, None, None, accepted=False, refused=reason(answer))
    match = _DECISION.fullmatch(answer)
    if match is None:
        raise DataError(f"the device's answer to VERIFY of {name} is no decision", details={"got": answer[:_SHOWN]})
    return Verified(name, float(match[2]), float(match[3]), accepted=match[1] == "ACCEPTED")


def reason(answer: str) -> str:
    """Return why the device refused, in its words."""
    return re.sub(r"^ERROR -\d+ ", "", answer[:_SHOWN])
