"""How much memory TensorFlow Lite Micro needs for a model's tensors: measured, not guessed.

TFLM takes one block, the arena, for tensors, scratch buffers and its own records. The smallest that works is found by
bisection on the interpreter that was compiled for this computer. On a 32-bit microcontroller the pointers inside TFLM's
records are half as large, so the same kernels need less than measured here; CMSIS-NN's kernels on the other hand ask
for scratch buffers that the reference kernels do without. The recommended size has room for those and a margin of 5 %.

An interpreter whose arena is too small may crash, so each trial runs in a process of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_sv.runtimes.confined_tflm import confine_here, run_confined
from edge_sv.runtimes.tflm import TflmInterpreter, import_tflm

STEP = 16
"""Alignment of the arena and of everything in it."""

LARGEST = 64 << 20
MARGIN_PERCENT = 5
MEASURED_ON = "TensorFlow Lite Micro compiled for x86-64, reference kernels, bisection to 16 bytes"


@dataclass(frozen=True)
class Arena:
    """Memory for TFLM's tensors.

    Args:
        measured_bytes: the smallest arena in which the model ran on this computer.
        scratch_bytes: room for the largest scratch buffer that CMSIS-NN's convolutions may ask for.
        margin_bytes: 5 % of the measured size, rounded up so that the sum is a multiple of 1 KiB.
    """

    measured_bytes: int
    scratch_bytes: int
    margin_bytes: int

    @property
    def bytes(self) -> int:
        """What the device should reserve."""
        return self.measured_bytes + self.scratch_bytes + self.margin_bytes


def measure_arena(model: bytes, *, filters: Sequence[tuple[int, ...]] = ()) -> Arena:
    """Measure the arena of a model.

    Args:
        model: a .tflite file.
        filters: (out, height, width, in) of its convolutions, for CMSIS-NN's scratch buffers.

    Raises:
        ToolMissing: tflite-micro is not installed.
        DataError: the model does not run in TensorFlow Lite Micro whatever the arena.
    """
    import_tflm()
    return make_arena(int(run_confined("edge_sv.runtimes.tflm_arena", model)), filters=filters)


def make_arena(measured: int, *, filters: Sequence[tuple[int, ...]] = ()) -> Arena:
    """Add scratch buffers and margin to the smallest arena in which a model ran."""
    scratch = max((convolution_scratch(shape) for shape in filters), default=0)
    wanted = measured + scratch + -(-measured * MARGIN_PERCENT // 100)
    return Arena(measured, scratch, -(-wanted // 1024) * 1024 - measured - scratch)


def convolution_scratch(filter_shape: tuple[int, ...]) -> int:
    """Bound the bytes of CMSIS-NN's im2col buffer for an int8 convolution, from its filter (out, height, width, in).

    The buffer holds two columns of int16 (DSP extension) or four of int8, each rounded up to 8 (MVE).

    Source: CMSIS-NN, arm_convolve_get_buffer_sizes_s8.c.
    """
    column = filter_shape[1] * filter_shape[2] * filter_shape[3]
    return 4 * ((column + 7) // 8 * 8)


def smallest(works: Callable[[int], bool], *, largest: int = LARGEST, step: int = STEP) -> int | None:
    """Return the smallest multiple of step that works, None when not even `largest` does; `works` is monotonic."""
    if not works(largest):
        return None
    low, high = 0, step
    while high < largest and not works(high):
        low, high = high, 2 * high
    while high - low > step:
        middle = (low + high) // (2 * step) * step
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def _runs(model: bytes, arena_bytes: int) -> bool:
    """Build and run the interpreter in a child process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            TflmInterpreter(model, arena_bytes=arena_bytes).invoke()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _main() -> int:
    """Read a model on stdin, write the measured bytes on stdout."""
    import_tflm()
    model = sys.stdin.buffer.read()
    confine_here()
    size = smallest(lambda arena_bytes: _runs(model, arena_bytes))
    if size is None:
        TflmInterpreter(model, arena_bytes=LARGEST).invoke()  # for the reason
        return 1
    sys.stdout.write(f"{size}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
