"""Runs calls of C kernels from Python: parameter structs by the headers, tensors between inaccessible pages.

What a plan does in generated C is done here by ctypes, in every way that a plan may: all rows at once, row by row, in
place. A kernel that touches memory beyond its arrays ends the process.
"""

from __future__ import annotations

import ctypes
import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edge_sv_converters.c_source.calls import (
    Array,
    Call,
    ElementCall,
    KernelCall,
    ReduceCall,
    RowCall,
    Struct,
    Value,
    ViewCall,
    WholeCall,
)

_CTYPES = {f"{sign}int{bits}_t": f"c_{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32)}
_LIBC = ctypes.CDLL(None, use_errno=True)
Values = npt.NDArray[Any]


class Kernels:
    """The kernels in a library.

    Args:
        library: compiled from `include` and its sources.
        include: the folder of headers.
    """

    def __init__(self, library: ctypes.CDLL, include: Path) -> None:
        self._library = library
        self._structs = _read_structs(include)

    def run(self, calls: Sequence[Call], inputs: Sequence[Values]) -> list[list[Values]]:
        """Run calls of one operator in every way that plans do.

        Returns:
            For each way the outputs, one for each call, that must all be the same.
        """
        computed = {t.index: t for call in calls for t in call.inputs if not t.constant}
        tensors = {index: values for (index, _), values in zip(sorted(computed.items()), inputs, strict=True)}
        ways = [[self._run(call, tensors, by_row=by_row, over=None) for call in calls] for by_row in (False, True)]
        if len(calls) == 1 and isinstance(calls[0], ElementCall | WholeCall):
            ways += [
                [self._run(calls[0], tensors, by_row=False, over=position)]
                for position in calls[0].in_place
                if not calls[0].inputs[position].constant
            ]
        return ways

    def _run(self, call: Call, tensors: Mapping[int, Values], *, by_row: bool, over: int | None) -> Values:
        pages = [_Guarded(_values(tensor, tensors)) for tensor in call.inputs]
        first = {tensor.index: page for tensor, page in zip(reversed(call.inputs), reversed(pages), strict=True)}
        pages = [first[tensor.index] for tensor in call.inputs]
        output = pages[over] if over is not None else _Guarded(np.full(call.output.num_bytes, 0x55, np.uint8))
        if isinstance(call, ViewCall):
            return pages[0].read().view(call.output.dtype).reshape(call.output.shape)
        assert isinstance(call, KernelCall)
        _Runner(self, call, pages, output, by_row=by_row).run()
        return output.read().view(call.output.dtype).reshape(call.output.shape)

    def function(self, name: str) -> Any:
        """Return a C function that returns nothing."""
        function = getattr(self._library, name)
        function.restype = None
        return function

    def pack(self, struct: Struct) -> tuple[Any, list[Any]]:
        """Fill a C struct; the list keeps what it points to."""
        kept: list[Any] = []
        return self._fill(self._structs[struct.ctype](), struct, kept), kept

    def _fill(self, made: Any, struct: Struct, kept: list[Any]) -> Any:
        fields = [name for name, *_ in made._fields_]
        assert fields == list(struct.members), (struct.ctype, fields, list(struct.members))
        for name, value in struct.members.items():
            setattr(made, name, self._value(made, name, value, kept))
        return made

    def _value(self, made: Any, name: str, value: Value, kept: list[Any]) -> Any:
        if isinstance(value, Array):
            kept.append(_Guarded(np.ascontiguousarray(value.values)))
            return kept[-1].address
        if isinstance(value, Struct) and value.ctype.endswith("]"):
            return type(getattr(made, name))(*value.members.values())
        if isinstance(value, Struct):
            return self._fill(getattr(made, name), value, kept)
        return value


class _Runner:
    """One call with its memory."""

    def __init__(self, kernels: Kernels, call: KernelCall, pages: list[_Guarded], output: _Guarded, *, by_row: bool):
        self._kernels, self._call, self._pages, self._output, self._by_row = kernels, call, pages, output, by_row
        self._params, self._kept = kernels.pack(call.params)
        self._scratch = _Guarded(np.full(-(-call.scratch_bytes // 8) * 8, 0x55, np.uint8))

    def run(self) -> None:
        call = self._call
        if isinstance(call, RowCall):
            for row in range(call.output.num_rows):
                self._row(call, row)
        elif isinstance(call, ElementCall):
            self._elements(call)
        elif isinstance(call, ReduceCall):
            self._reduce(call)
        else:
            assert isinstance(call, WholeCall)
            addresses = [ctypes.c_void_p(page.address) for page in (*self._pages, self._output, self._scratch)]
            self._kernels.function(call.kernel)(ctypes.byref(self._params), *addresses)

    def _row(self, call: RowCall, row: int) -> None:
        if call.window is None:
            rows = [self._at(position, row) for position in range(len(call.inputs))]
        else:
            window, source = call.window, call.inputs[0]
            taps = [row * window.stride - window.pad_top + tap * window.dilation for tap in range(window.height)]
            padding = _Guarded(np.full(source.row_elements, window.pad_value or 0, source.dtype))
            self._kept.append(padding)
            outside = None if window.pad_value is None else padding.address
            rows = [self._at(0, tap) if 0 <= tap < source.num_rows else outside for tap in taps]
        pointers = (ctypes.c_void_p * len(rows))(*rows)
        out = self._output.address + row * call.output.row_bytes
        arguments = (ctypes.byref(self._params), pointers, ctypes.c_void_p(out), ctypes.c_void_p(self._scratch.address))
        self._kernels.function(call.kernel)(*arguments)

    def _elements(self, call: ElementCall) -> None:
        rows = call.output.num_rows if call.fixed or self._by_row else 1
        for row in range(rows):
            inputs = [self._at(i, 0 if i in call.fixed else row) for i in range(len(call.inputs))]
            addresses = [*inputs, self._output.address + row * call.output.row_bytes]
            count = call.output.elements // rows
            self._kernels.function(call.kernel)(
                ctypes.byref(self._params), *map(ctypes.c_void_p, addresses), ctypes.c_size_t(count)
            )

    def _reduce(self, call: ReduceCall) -> None:
        params, state = ctypes.byref(self._params), ctypes.c_void_p(self._scratch.address)
        rows = call.inputs[0].num_rows
        self._kernels.function(f"{call.kernel}_begin")(params, state)
        for row in range(rows):
            self._kernels.function(f"{call.kernel}_add")(params, ctypes.c_void_p(self._at(0, row)), state)
        out = ctypes.c_void_p(self._output.address)
        self._kernels.function(f"{call.kernel}_finish")(params, state, ctypes.c_size_t(rows), out)

    def _at(self, position: int, row: int) -> int:
        return self._pages[position].address + row * self._call.inputs[position].row_bytes


class _Guarded:
    """Bytes that end where a page ends that must not be touched."""

    def __init__(self, values: Values) -> None:
        data = np.ascontiguousarray(values).tobytes()
        pages = -(-max(1, len(data)) // mmap.PAGESIZE)
        self._memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
        self._start, self._bytes = pages * mmap.PAGESIZE - len(data), len(data)
        self._memory[self._start : self._start + len(data)] = data
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.address = base + self._start
        guard = ctypes.c_void_p(base + pages * mmap.PAGESIZE)
        assert _LIBC.mprotect(guard, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0

    def read(self) -> npt.NDArray[np.uint8]:
        """Return a copy of the bytes."""
        return np.frombuffer(self._memory, np.uint8, self._bytes, self._start).copy()


def _values(tensor: Any, tensors: Mapping[int, Values]) -> Values:
    return tensor.values if tensor.constant else tensors[tensor.index]


def _read_structs(include: Path) -> dict[str, type[ctypes.Structure]]:
    """Read the parameter structs of all headers; members are integers, floats, pointers, arrays and other structs."""
    structs: dict[str, type[ctypes.Structure]] = {}
    unread = {}
    for header in sorted(include.glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
        for body, name in re.findall(r"typedef struct (?:\w+ )?\{([^{}]*)\} (\w+);", text):
            unread[name] = body
        constants = dict(re.findall(r"(\w+) = (\d+)", text))
        unread.update({n: _insert(b, constants) for n, b in unread.items()})
    while True:
        ready = {n: f for n, b in unread.items() if n not in structs and (f := _fields(b, structs)) is not None}
        if not ready:
            return structs
        for name, fields in ready.items():
            structs[name] = type(name, (ctypes.Structure,), {"_fields_": fields})


def _insert(body: str, constants: Mapping[str, str]) -> str:
    return re.sub(r"\[(\w+)\]", lambda match: f"[{constants.get(match[1], match[1])}]", body)


def _fields(body: str, structs: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    fields: list[tuple[str, Any]] = []
    for line in filter(None, (part.strip() for part in body.split(";"))):
        match = re.fullmatch(r"(?:const )?(\w+) (\**)(\w+)((?:\[\d+\])*)", line)
        if match is None:
            return None
        kind, pointer, name, array = match.groups()
        if pointer:
            made: Any = ctypes.c_void_p
        elif kind == "float":
            made = ctypes.c_float
        elif kind in _CTYPES:
            made = getattr(ctypes, _CTYPES[kind])
        elif kind in structs:
            made = structs[kind]
        else:
            return None
        for size in reversed(re.findall(r"\d+", array)):
            made = made * int(size)
        fields.append((name, made))
    return fields
