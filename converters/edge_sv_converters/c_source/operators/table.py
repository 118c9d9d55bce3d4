"""The one table of operators: kind -> what lowers it."""

from __future__ import annotations

from collections.abc import Callable

from edge_sv.errors import DataError
from edge_sv_converters.c_source.calls import Call, Program
from edge_sv_converters.c_source.graph import Graph, Operation
from edge_sv_converters.c_source.operators import (
    activations,
    by_type,
    conv,
    depthwise,
    elementwise,
    floats,
    moves,
    pads,
    pool,
    reduce,
    softmax,
    views,
)
from edge_sv_converters.c_source.operators.by_type import either

Lower = Callable[[Operation], tuple[Call, ...]]

LOWERINGS: dict[str, Lower] = {
    "ABS": either(activations.lower, floats.lower_unary),
    "ADD": either(elementwise.lower_add, floats.lower_pair),
    "AVERAGE_POOL_2D": pool.lower,
    "CONCATENATION": moves.lower_concatenation,
    "CONV_2D": conv.lower_conv,
    "DEPTHWISE_CONV_2D": depthwise.lower,
    "DEQUANTIZE": floats.lower_dequantize,
    "DIV": floats.lower_pair,
    "ELU": activations.lower,
    "EXP": floats.lower_unary,
    "EXPAND_DIMS": views.lower,
    "FULLY_CONNECTED": conv.lower_fully_connected,
    "HARD_SWISH": activations.lower,
    "LEAKY_RELU": activations.lower,
    "LOGISTIC": either(activations.lower, floats.lower_unary),
    "MAXIMUM": either(elementwise.lower_extremum, floats.lower_pair),
    "MAX_POOL_2D": pool.lower,
    "MEAN": either(reduce.lower_mean, floats.lower_mean),
    "MINIMUM": either(elementwise.lower_extremum, floats.lower_pair),
    "MUL": either(elementwise.lower_mul, floats.lower_pair),
    "NEG": floats.lower_unary,
    "PAD": pads.lower_pad,
    "PADV2": pads.lower_pad,
    "PRELU": elementwise.lower_prelu,
    "QUANTIZE": by_type.lower_quantize,
    "REDUCE_MAX": reduce.lower_extremum,
    "REDUCE_MIN": reduce.lower_extremum,
    "RELU": either(activations.lower, floats.lower_unary),
    "RELU6": either(activations.lower, floats.lower_unary),
    "RESHAPE": views.lower,
    "RESIZE_NEAREST_NEIGHBOR": pads.lower_resize_nearest,
    "RSQRT": either(activations.lower, floats.lower_unary),
    "SLICE": moves.lower_slice,
    "SOFTMAX": either(softmax.lower, floats.lower_softmax),
    "SPLIT": moves.lower_split,
    "SPLIT_V": moves.lower_split_v,
    "SQRT": floats.lower_unary,
    "SQUARE": floats.lower_unary,
    "SQUARED_DIFFERENCE": either(elementwise.lower_squared_difference, floats.lower_pair),
    "SQUEEZE": views.lower,
    "STRIDED_SLICE": moves.lower_strided_slice,
    "SUB": either(elementwise.lower_sub, floats.lower_pair),
    "SUM": either(reduce.lower_mean, floats.lower_mean),
    "TANH": either(activations.lower, floats.lower_unary),
    "TRANSPOSE": moves.lower_transpose,
}


def lower_graph(graph: Graph) -> Program:
    """Turn every operator into kernel calls.

    Raises:
        DataError: an operator has no kernel, or is used in a way that its kernel cannot compute; it is named.
    """
    missing = sorted({operation.kind for operation in graph.operations} - LOWERINGS.keys())
    if missing:
        raise DataError(
            f"no kernel computes {', '.join(missing)}",
            details={"known": ", ".join(sorted(LOWERINGS))},
            hint="build for --target tflite-micro or tflite, or express it by other operators",
        )
    calls = [call for operation in graph.operations for call in _lower(operation)]
    return Program(graph.inputs, graph.outputs, tuple(calls))


def _lower(operation: Operation) -> tuple[Call, ...]:
    """Lower one operator; name it also where what is wrong was found in its numbers."""
    try:
        return LOWERINGS[operation.kind](operation)
    except DataError as error:
        if error.message.startswith("cannot compile operator"):
            raise
        named = operation.refuse(error.message, hint=error.hint)
        raise DataError(named.message, details=error.details, hint=error.hint) from error
