"""The one table of operators: kind -> what lowers it."""

from __future__ import annotations

from collections.abc import Callable

from edge_sv.errors import DataError
from edge_sv_converters.c_source.calls import Call, Program
from edge_sv_converters.c_source.graph import Graph, Operation
from edge_sv_converters.c_source.operators import (
    activations,
    conv,
    depthwise,
    elementwise,
    moves,
    pads,
    pool,
    reduce,
    softmax,
    views,
)

Lower = Callable[[Operation], tuple[Call, ...]]

LOWERINGS: dict[str, Lower] = {
    "ABS": activations.lower,
    "ADD": elementwise.lower_add,
    "AVERAGE_POOL_2D": pool.lower,
    "CONCATENATION": moves.lower_concatenation,
    "CONV_2D": conv.lower_conv,
    "DEPTHWISE_CONV_2D": depthwise.lower,
    "ELU": activations.lower,
    "EXPAND_DIMS": views.lower,
    "FULLY_CONNECTED": conv.lower_fully_connected,
    "HARD_SWISH": activations.lower,
    "LEAKY_RELU": activations.lower,
    "LOGISTIC": activations.lower,
    "MAXIMUM": elementwise.lower_extremum,
    "MAX_POOL_2D": pool.lower,
    "MEAN": reduce.lower_mean,
    "MINIMUM": elementwise.lower_extremum,
    "MUL": elementwise.lower_mul,
    "PAD": pads.lower_pad,
    "PADV2": pads.lower_pad,
    "PRELU": elementwise.lower_prelu,
    "QUANTIZE": activations.lower,
    "REDUCE_MAX": reduce.lower_extremum,
    "REDUCE_MIN": reduce.lower_extremum,
    "RELU": activations.lower,
    "RELU6": activations.lower,
    "RESHAPE": views.lower,
    "RESIZE_NEAREST_NEIGHBOR": pads.lower_resize_nearest,
    "RSQRT": activations.lower,
    "SLICE": moves.lower_slice,
    "SOFTMAX": softmax.lower,
    "SPLIT": moves.lower_split,
    "SPLIT_V": moves.lower_split_v,
    "SQUARED_DIFFERENCE": elementwise.lower_squared_difference,
    "SQUEEZE": views.lower,
    "STRIDED_SLICE": moves.lower_strided_slice,
    "SUB": elementwise.lower_sub,
    "SUM": reduce.lower_mean,
    "TANH": activations.lower,
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
    calls = [call for operation in graph.operations for call in LOWERINGS[operation.kind](operation)]
    return Program(graph.inputs, graph.outputs, tuple(calls))
