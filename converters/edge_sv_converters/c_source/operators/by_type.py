"""Operators that exist for int8 and for float32: which lowering takes one."""

from __future__ import annotations

from collections.abc import Callable

from edge_sv_converters.c_source.calls import Call
from edge_sv_converters.c_source.graph import Operation
from edge_sv_converters.c_source.operators import activations, floats

Lower = Callable[[Operation], tuple[Call, ...]]


def either(int8: Lower, float32: Lower) -> Lower:
    """Make a lowering that looks at the types of an operator's tensors."""
    return lambda operation: (float32 if floats.is_float(operation) else int8)(operation)


def lower_quantize(operation: Operation) -> tuple[Call, ...]:
    """Lower a QUANTIZE: from float32, or from one int8 grid to another."""
    if operation.input(0).dtype == "float32":
        return floats.lower_quantize(operation)
    return activations.lower(operation)
