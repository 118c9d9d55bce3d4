"""The C source of a program under the streaming plan; same program, same text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_sv.system.templates import Code
from edge_sv_converters.c_source.calls import Call, ElementCall, KernelCall, Program, ReduceCall, RowCall
from edge_sv_converters.c_source.constants import C_TYPES, Constants, define_constants, identifier
from edge_sv_converters.c_source.emit import emit_header, emit_net, kernel_headers, render
from edge_sv_converters.c_source.emitted import EmittedPlan, Speaker
from edge_sv_converters.c_source.graph import Tensor
from edge_sv_converters.c_source.statements import (
    Names,
    describe,
    name_tensors,
    statements,
    window_initializer,
    window_runners,
)
from edge_sv_converters.c_source.stream_rings import Reach
from edge_sv_converters.c_source.streaming import Step, StreamingPlan


def emit_streaming(plan: StreamingPlan, *, prefix: str, banner: str, speaker: Speaker) -> EmittedPlan:
    """Write a speaker net that computes as frames arrive.

    Args:
        plan: what runs when, and where.
        prefix: of every public name, and of the files.
        banner: first line of each file, without comment marks.
        speaker: what the `esv_net` says of it.
    """
    program = plan.program
    constants = define_constants(program)
    names = name_tensors(program, constants)
    context = {"banner": banner, "prefix": prefix, **_describe_steps(plan, names)}
    header = emit_header(
        program,
        prefix=prefix,
        banner=banner,
        speaker=speaker,
        ram_bytes=plan.state_bytes,
        arena_bytes=None,
        streaming=True,
    )
    files = {
        f"{prefix}.h": header,
        f"{prefix}.c": render("net_streaming.c.j2", context) + emit_net(speaker, prefix),
        f"{prefix}_constants.h": _emit_constants(plan, constants, prefix=prefix, banner=banner),
    }
    return EmittedPlan("streaming", files, plan.state_bytes, constants.arrays)


def _describe_steps(plan: StreamingPlan, names: Names) -> dict[str, Any]:
    """Describe what the template writes out: what runs for each frame, and the tail that runs at the end."""
    program, tail = plan.program, _tail(plan)
    return {
        "plan": plan,
        "headers": sorted({*kernel_headers(program), "esv_align.h", "esv_net.h", "esv_stream.h", "esv_window.h"}),
        "stages": [_stage(step, names) for step in plan.steps],
        "num_reaches": sum(len(step.stage.needs) for step in plan.steps),
        "reductions": [_reduction(step, call, plan, names) for step, call in plan.reductions],
        "runners": window_runners(tail),
        "variables": [_variable(tensor, plan, names) for tensor in _tail_tensors(plan, tail)],
        "tail": [_tail_step(number, program.calls[number], plan, names) for number in plan.tail],
        "output": plan.tail_plan.offsets[program.outputs[0].index],
    }


def _emit_constants(plan: StreamingPlan, constants: Constants, *, prefix: str, banner: str) -> str:
    """Write weights and parameters; only what follows the pooling runs over whole tensors and needs windows."""
    windows = {
        f"{constants.params[number]}_window": text
        for number in plan.tail
        if isinstance(call := plan.program.calls[number], RowCall) and (text := window_initializer(call)) is not None
    }
    context = {"banner": banner, "prefix": prefix, "definitions": constants.definitions, "windows": windows}
    return render("net_constants.h.j2", context)


def _tail(plan: StreamingPlan) -> Program:
    pooled = [call.output for _, call in plan.reductions]
    calls = tuple(plan.program.calls[number] for number in plan.tail)
    return Program((*pooled, *plan.kept), plan.program.outputs, calls)


def _stage(step: Step, names: Names) -> dict[str, Any]:
    call = step.call
    return {
        "name": f"row{step.number}_{identifier(call.output.name)}",
        "operator": call.operation.index,
        "comment": describe(call),
        "lines": [Code(line) for line in _run(step, names)],
        "reaches": [_members(reach, call) for reach in step.stage.needs],
        "output": step.stage.output,
    }


def _members(reach: Reach, call: Call) -> str:
    """Return the initializer of an `esv_stream_reach`."""
    window = call.window if isinstance(call, RowCall) else None
    fill = None if window is None else window.pad_value
    flags = [name for name, on in (("ESV_STREAM_SAME", reach.same), ("ESV_STREAM_FILL", fill is not None)) if on]
    numbers = (reach.tensor, reach.taps, reach.stride, reach.dilation, reach.above, reach.below)
    return ", ".join([*map(str, numbers), " | ".join(flags) or "0", str(fill or 0)])


def _run(step: Step, names: Names) -> Iterator[str]:
    """Yield the C statements that make one row."""
    call = step.call
    assert isinstance(call, KernelCall)
    params = f"&{names.constants.params[step.number]}"
    out = _pointer("out", call.output, const=False)
    if isinstance(call, ReduceCall):
        yield f"{call.kernel}_add({params}, {_pointer('rows[0]', call.inputs[0])}, out);"
    elif isinstance(call, ElementCall):
        rows = iter(range(len(call.inputs)))
        inputs = [
            names.of(tensor) if tensor.constant else _pointer(f"rows[{next(rows)}]", tensor) for tensor in call.inputs
        ]
        yield f"{call.kernel}({', '.join([params, *inputs, out])}, {call.output.row_elements});"
    else:
        taps, ctype = sum(reach.taps for reach in step.stage.inputs), C_TYPES[call.inputs[0].dtype]
        rows_of_type = "rows" if ctype == "int8_t" else "typed"
        if rows_of_type == "typed":
            casts = ", ".join(_pointer(f"rows[{tap}]", call.inputs[0]) for tap in range(taps))
            yield f"const {ctype} *const typed[{taps}] = {{{casts}}};"
        yield f"{call.kernel}({params}, {rows_of_type}, {out}, scratch);"


def _pointer(expression: str, tensor: Tensor, *, const: bool = True) -> str:
    """Return a pointer into a ring as one to a tensor's values."""
    ctype = C_TYPES[tensor.dtype]
    if ctype == "int8_t":
        return expression
    return f"(const {ctype} *)(const void *){expression}" if const else f"({ctype} *)(void *){expression}"


def _reduction(step: Step, call: ReduceCall, plan: StreamingPlan, names: Names) -> dict[str, Any]:
    return {
        "operator": call.operation.index,
        "comment": describe(call),
        "kernel": call.kernel,
        "params": names.constants.params[step.number],
        "offset": plan.rings[step.stage.output].offset,
        "tensor": step.stage.output,
        "output": names.of(call.output),
    }


def _tail_tensors(plan: StreamingPlan, tail: Program) -> list[Tensor]:
    """List the tensors that the statements after the last frame mention."""
    used = {t.index for call in tail.calls if isinstance(call, KernelCall) for t in (*call.inputs, call.output)}
    used |= {call.output.index for _, call in plan.reductions}
    return [tensor for tensor in (*tail.inputs, *(call.output for call in tail.calls)) if tensor.index in used]


def _variable(tensor: Tensor, plan: StreamingPlan, names: Names) -> dict[str, Any]:
    return {
        "name": names.of(tensor),
        "ctype": C_TYPES[tensor.dtype],
        "offset": plan.tail_plan.offsets[tensor.index],
        "shape": tensor.shape,
    }


def _tail_step(number: int, call: Call, plan: StreamingPlan, names: Names) -> dict[str, Any]:
    return {
        "operator": call.operation.index,
        "comment": describe(call),
        "lines": statements(number, call, names, plan.tail_plan),
    }
