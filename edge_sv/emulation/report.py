"""What an emulated package did and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge_sv.emulation.board import Board
from edge_sv.emulation.line_protocol import Verified
from edge_sv.emulation.reference import Difference

INSTRUCTIONS_PER_CYCLE = 1.0
"""Assumed where instructions become time: what simple loops reach on a Cortex-M4 without wait states. A Cortex-M7 does
better, slow flash without a cache does worse."""

SECOND_OF_SPEECH = "second of speech"


@dataclass(frozen=True)
class OperatorCost:
    """What an operator of the net takes.

    Args:
        number: its place in the model.
        name: its layer.
        kind: as the TensorFlow Lite schema names it.
        instructions: per second of speech; of a net-only package: per invocation.
        macs: multiply-accumulates of one invocation.
    """

    number: int
    name: str
    kind: str
    instructions: int
    macs: int


@dataclass(frozen=True)
class Emulation:
    """A package on an emulated board.

    Args:
        board: where it ran.
        package: its folder.
        model: name of the net.
        plan: how the net's memory is planned, `static` or `streaming`; `interpreter`: by TensorFlow Lite Micro.
        differences: of every golden vector and recording, between the device and this computer.
        instructions: `features`, `inference` and `total` per second of speech; of a net alone `inference` of an
            invocation, as `total`.
        per: what they are per, in words.
        measured: the recording or golden vector that they were counted on.
        code_bytes: functions of the package and the C library.
        flash_bytes: these, weights and other constants, and initial values.
        ram_bytes: variables and the memory given to the library, the peak of the net's tensors in it; not the stack.
        state_bytes: the part of that which the net needs.
        stack_bytes: the deepest that the stack has been.
        operators: what each one takes; empty where an interpreter runs them.
        verified: decisions; empty without recordings.
    """

    board: Board
    package: str
    model: str
    plan: str
    differences: tuple[Difference, ...]
    instructions: dict[str, int]
    per: str
    measured: str
    code_bytes: int
    flash_bytes: int
    ram_bytes: int
    state_bytes: int
    stack_bytes: int
    operators: tuple[OperatorCost, ...]
    verified: tuple[Verified, ...] = ()

    @property
    def bit_exact(self) -> bool:
        """Whether the device computed everywhere what this computer computes."""
        return all(difference.exact for difference in self.differences)

    def milliseconds(self) -> dict[str, float]:
        """Estimate times from instructions; see `INSTRUCTIONS_PER_CYCLE`."""
        rate = self.board.clock_hz * INSTRUCTIONS_PER_CYCLE / 1000
        return {name: count / rate for name, count in self.instructions.items()}

    @property
    def slower_than_real_time(self) -> bool:
        """Whether a second of speech takes more than a second; False for a net alone, which knows no seconds."""
        return self.per == SECOND_OF_SPEECH and self.milliseconds()["total"] > 1000

    def to_dict(self) -> dict[str, Any]:
        """Return what `edge-sv emulate --json` prints."""
        first = self.verified[0] if self.verified else None
        return {
            "board": self.board.name,
            "machine": self.board.machine_name,
            "package": self.package,
            "model": self.model,
            "plan": self.plan,
            "accepted": first.accepted if first else None,
            "score": first.score if first else None,
            "threshold": first.threshold if first else None,
            "bit_exact": self.bit_exact,
            "instructions": self.instructions,
            "instructions_per": self.per,
            "instructions_of": self.measured,
            "estimated_ms": {name: round(value, 3) for name, value in self.milliseconds().items()},
            "clock_hz": self.board.clock_hz,
            "instructions_per_cycle": INSTRUCTIONS_PER_CYCLE,
            "code_bytes": self.code_bytes,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "state_bytes": self.state_bytes,
            "stack_bytes": self.stack_bytes,
            "flash_limit_bytes": self.board.flash_bytes,
            "ram_limit_bytes": self.board.ram_bytes,
            "verified": [asdict(decision) for decision in self.verified],
            "checks": [asdict(difference) for difference in self.differences],
            "operators": [asdict(operator) for operator in self.operators],
        }
