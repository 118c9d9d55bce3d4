"""Generated C on this computer: a net's arena and its functions, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNMENT = 16


class CompiledNet:
    """A generated net in a loaded library.

    Args:
        library: has the functions that the net's header declares.
        prefix: of their names.
    """

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self.arena_bytes = ctypes.c_size_t.in_dll(library, f"{prefix}_arena_bytes").value
        self._input, self._output = (getattr(library, f"{prefix}_{name}") for name in ("input", "output"))
        for function in (self._input, self._output):
            function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
        self._invoke = getattr(library, f"{prefix}_invoke")
        self._invoke.restype, self._invoke.argtypes = None, [ctypes.c_void_p]
        self._memory = np.zeros(self.arena_bytes + ALIGNMENT, np.uint8)
        self._start = -self._memory.ctypes.data % ALIGNMENT
        self._arena = self._memory.ctypes.data + self._start

    def invoke(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Run the net on one array for each input, of its shape and type."""
        for number, values in enumerate(inputs):
            data = np.ascontiguousarray(values)
            ctypes.memmove(self._input(self._arena, number), data.ctypes.data, data.nbytes)
        self._invoke(self._arena)

    def output(self, number: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
        """Return a copy of an output after `invoke`."""
        offset = self._output(self._arena, number) - self._arena
        count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return self.read(offset, count).view(dtype).reshape(shape)

    def read(self, offset: int, count: int) -> npt.NDArray[np.uint8]:
        """Return a copy of some bytes of the arena."""
        return self._memory[self._start + offset : self._start + offset + count].copy()
