"""Emulate a package of any kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_sv.emulation.board import Board
from edge_sv.emulation.net_only import emulate_net_only
from edge_sv.emulation.report import Emulation
from edge_sv.emulation.speaker import Recordings, emulate_speaker
from edge_sv.emulation.tflm import emulate_tflm
from edge_sv.errors import AccuracyGateFailed, DataError, UsageError
from edge_sv.package.read import DevicePackage


def _say_nothing(step: str) -> None:
    """Ignore what is being done."""


def emulate(
    package: DevicePackage,
    board: Board,
    *,
    enroll: Recordings = (),
    verify: Recordings = (),
    tflm: Path | None = None,
    listen: Callable[[str], None] = _say_nothing,
) -> Emulation:
    """Run a package on an emulated board: its golden vectors, and recordings where it takes any.

    Args:
        package: a speaker net's of any kind, or a net-only one.
        board: where it runs.
        enroll: recordings of one voice.
        verify: recordings to compare with it.
        tflm: a folder with TensorFlow Lite Micro's headers and library, to run a tflite-micro package by its own glue.
        listen: called with what is being done.

    Raises:
        UsageError: there is something to verify and nothing to enroll, or recordings for a net-only package or with
            `tflm`; or `tflm` does not exist, or the package is not a tflite-micro one.
        DoesNotFit: the package is larger than the board.
        DataError: it has no golden vectors, cannot be compiled, crashed, or refuses a recording; `tflm` lacks its
            headers or library.
        ToolMissing: the compiler or the emulator is not installed.
    """
    if not package.manifest.golden:
        raise DataError(f"{package.path} has no golden vectors to run", hint="build the package again")
    if tflm is not None:
        if enroll or verify:
            raise UsageError("--tflm runs the golden vectors and takes no recordings")
        return emulate_tflm(package, board, tflm, listen=listen)
    if package.speaker is not None:
        return emulate_speaker(package, board, enroll=enroll, verify=verify, listen=listen)
    if enroll or verify:
        raise UsageError(f"{package.path} holds a net without a front end, which takes no recordings")
    return emulate_net_only(package, board, listen=listen)


def check_exact(done: Emulation) -> None:
    """Check that the device computed what this computer computes.

    Raises:
        AccuracyGateFailed: it did not; says where.
    """
    wrong = [difference for difference in done.differences if not difference.exact]
    if wrong:
        first = wrong[0]
        raise AccuracyGateFailed(
            f"'{done.board.name}' does not compute what this computer computes",
            details={
                "differ": ", ".join(difference.name for difference in wrong),
                "first": f"{first.frames} inputs, {first.outputs} outputs, {first.embedding} values of the embedding",
            },
            hint="build the package again; its code may be of another version",
        )
