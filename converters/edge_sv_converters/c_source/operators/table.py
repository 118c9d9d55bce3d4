"""The one table of operators: kind -> what lowers it."""

from __future__ import annotations

from collections.abc import Callable

from edge_sv.errors import DataError
from edge_sv_converters.c_source.calls import Call, Program
from edge_sv_converters.c_source.graph import Graph, Operation
from edge_sv_converters.c_source.operators import conv, depthwise, views

Lower = Callable[[Operation], tuple[Call, ...]]

LOWERINGS: dict[str, Lower] = {
    "CONV_2D": conv.lower_conv,
    "DEPTHWISE_CONV_2D": depthwise.lower,
    "EXPAND_DIMS": views.lower,
    "FULLY_CONNECTED": conv.lower_fully_connected,
    "RESHAPE": views.lower,
    "SQUEEZE": views.lower,
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
