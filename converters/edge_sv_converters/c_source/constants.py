"""The constants of a program as C: weights, tables and parameter structs, equal arrays once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.package.render import c_float, c_floats, c_ints
from edge_sv.plugins.generator import ConstantBytes
from edge_sv.system.templates import Code
from edge_sv_converters.c_source.calls import Array, Call, KernelCall, Program, Struct, Value
from edge_sv_converters.c_source.graph import Tensor

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float32": "float",
    "bool": "uint8_t",
}


@dataclass(frozen=True)
class Definition:
    """A constant in C.

    Args:
        note: what it is, for the comment before it; any text, nothing if empty.
        code: defines it.
    """

    note: str
    code: Code


@dataclass(frozen=True)
class Constants:
    """Definitions of a program's constants.

    Args:
        definitions: in the order that they need each other.
        params: call number -> name of its parameter struct.
        tensors: constant tensor index -> name of its array.
        arrays: what each array occupies.
    """

    definitions: tuple[Definition, ...] = field(repr=False)
    params: Mapping[int, str]
    tensors: Mapping[int, str]
    arrays: tuple[ConstantBytes, ...] = field(repr=False)


def identifier(text: str) -> str:
    """Make a readable part of a C name out of any text."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()[:40].strip("_") or "unnamed"


def define_constants(program: Program) -> Constants:
    """Name and write all constants of a program; same program, same text."""
    pool = _Pool()
    params: dict[int, str] = {}
    tensors: dict[int, str] = {}
    for number, call in enumerate(program.calls):
        name = f"op{number}_{identifier(call.output.name)}"
        pool.call = call
        for tensor in call.inputs:
            if tensor.constant and tensor.index not in tensors:
                tensors[tensor.index] = pool.array(tensor_array(tensor), f"t{tensor.index}_{identifier(tensor.name)}")
        if isinstance(call, KernelCall):
            params[number] = pool.struct(call.params, name)
    return Constants(tuple(pool.definitions), params, tensors, tuple(pool.arrays))


def tensor_array(tensor: Tensor) -> Array:
    """Return a constant tensor as an array.

    Raises:
        DataError: the tensor has no values.
    """
    if tensor.values is None:
        raise DataError(f"tensor '{tensor.name}' has no constant values")
    return Array(tensor.values, note=f"{tensor.name} {tensor.shape}")


class _Pool:
    """Collects definitions; `call` is the one they are for."""

    call: Call

    def __init__(self) -> None:
        self.definitions: list[Definition] = []
        self.arrays: list[ConstantBytes] = []
        self._names: dict[tuple[str, int, bytes], str] = {}

    def array(self, array: Array, name: str, *, part: str = "constant", bits: int | None = None) -> str:
        values = np.ascontiguousarray(array.values)
        key = (values.dtype.name, array.alignment, values.tobytes())
        if key not in self._names:
            self._names[key] = name
            operation = self.call.operation
            row = ConstantBytes(self.call.output.name, operation.kind, part, bits or 8 * values.itemsize, values.nbytes)
            self.arrays.append(row)
            note = array.note or str(values.shape)
            self.definitions.append(Definition(note, _array_code(values, name, alignment=array.alignment)))
        return self._names[key]

    def struct(self, struct: Struct, name: str) -> str:
        members = "".join(f"\n    {text}," for text in self._members(struct, name))
        self.definitions.append(Definition("", Code(f"static const {struct.ctype} {name} = {{{members}\n}};")))
        return name

    def _members(self, struct: Struct, name: str) -> Iterator[str]:
        for member, value in struct.members.items():
            bits = struct.members.get("weight_bits") if member == "weights" else None
            text = self._value(value, f"{name}_{member}", part=member, bits=bits if isinstance(bits, int) else None)
            yield f"{text} /* {member} */"

    def _value(self, value: Value, name: str, *, part: str, bits: int | None = None) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, Array):
            return self.array(value, name, part=part, bits=bits)
        if isinstance(value, Struct):
            return (
                "{"
                + ", ".join(
                    self._value(inner, f"{name}_{member}", part=member) for member, inner in value.members.items()
                )
                + "}"
            )
        if isinstance(value, float | np.floating):
            return _finite(float(value), name)
        return _integer(int(value))


def _array_code(values: npt.NDArray[Any], name: str, *, alignment: int) -> Code:
    ctype, align = C_TYPES[values.dtype.name], f"ESV_ALIGNED({alignment}) " if alignment > values.itemsize else ""
    return Code(f"{align}static const {ctype} {name}[] = {{\n{_initializer(values, name)}\n}};")


def _initializer(values: npt.NDArray[Any], name: str) -> str:
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise DataError(f"constant '{name}' is not finite", hint="convert the float net again")
        return c_floats(values)
    if values.dtype.kind == "b":
        return c_ints(values.astype(np.uint8))
    text = c_ints(values)
    return text.replace("-2147483648,", "INT32_MIN,").replace("-9223372036854775808,", "INT64_MIN,")


def _integer(value: int) -> str:
    if value == -(1 << 31):
        return "INT32_MIN"
    if value == -(1 << 63):
        return "INT64_MIN"
    return f"{value}u" if (1 << 31) <= value < (1 << 32) else str(value)


def _finite(value: float, name: str) -> str:
    if not np.isfinite(value):
        raise DataError(f"constant '{name}' is not finite", hint="convert the float net again")
    return c_float(value)
