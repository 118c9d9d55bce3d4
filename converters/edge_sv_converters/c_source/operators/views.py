"""RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes under another shape."""

from __future__ import annotations

from edge_sv_converters.c_source.calls import Call, ViewCall
from edge_sv_converters.c_source.graph import Operation


def lower(operation: Operation) -> tuple[Call, ...]:
    """Let the output be the input's memory.

    Raises:
        DataError: they differ in size, type or grid.
    """
    source, output = operation.input(0), operation.output
    if source.elements != output.elements or source.dtype != output.dtype:
        raise operation.refuse(f"{source.shape} {source.dtype} cannot become {output.shape} {output.dtype}")
    if source.scale is not None and output.scale is not None and source.grid != output.grid:
        raise operation.refuse(f"its input's grid {source.grid} is not its output's {output.grid}")
    return (ViewCall(operation=operation, inputs=(source,), output=output),)
