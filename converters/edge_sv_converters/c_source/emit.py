"""The C source of a program under the static plan; same program, same text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sv.package.render import c_float
from edge_sv.system.templates import open_templates
from edge_sv_converters.c_source.calls import Call, KernelCall, Program, RowCall, ViewCall
from edge_sv_converters.c_source.constants import C_TYPES, Constants, define_constants
from edge_sv_converters.c_source.emitted import EmittedPlan, Speaker
from edge_sv_converters.c_source.graph import Tensor
from edge_sv_converters.c_source.plan import ALIGNMENT, StaticPlan, plan_static
from edge_sv_converters.c_source.statements import (
    Names,
    describe,
    name_tensors,
    statements,
    window_initializer,
    window_runners,
)

TEMPLATES = Path(__file__).parent / "templates"
SENTENCES = {
    "static": "The net on whole tensors in one block of memory.",
    "streaming": "The net on frames as they arrive; its memory does not depend on how many.",
}
COUNT_BYTES = ALIGNMENT
"""Behind the arena of a speaker net: how many frames it holds."""


def emit_static(
    program: Program, *, prefix: str, banner: str, speaker: Speaker | None = None, plan: StaticPlan | None = None
) -> EmittedPlan:
    """Write a program that runs on whole tensors.

    Args:
        program: what to run.
        prefix: of every public name, and of the files.
        banner: first line of each file, without comment marks.
        speaker: also write it as an `esv_net`.
        plan: of `whole_tensors(program)`; None: tensors lie over each other wherever possible.
    """
    program = whole_tensors(program)
    plan, constants = plan or plan_static(program), define_constants(program)
    ram_bytes = plan.arena_bytes + (COUNT_BYTES if speaker else 0)
    source = render("net_static.c.j2", _source_context(program, plan, constants, prefix, banner))
    files = {
        f"{prefix}.h": emit_header(
            program, prefix=prefix, banner=banner, speaker=speaker, ram_bytes=ram_bytes, arena_bytes=plan.arena_bytes
        ),
        f"{prefix}.c": source
        + (render("net_speaker.c.j2", {"prefix": prefix}) + emit_net(speaker, prefix) if speaker else ""),
        f"{prefix}_constants.h": emit_constants(program, constants, prefix=prefix, banner=banner),
    }
    return EmittedPlan("static", files, ram_bytes, constants.arrays)


def whole_tensors(program: Program) -> Program:
    """Use the kernels that take a tensor at once where there are such."""
    calls = tuple(call.whole or call if isinstance(call, RowCall) else call for call in program.calls)
    return replace(program, calls=calls)


def emit_header(
    program: Program,
    *,
    prefix: str,
    banner: str,
    speaker: Speaker | None,
    ram_bytes: int,
    arena_bytes: int | None,
    streaming: bool = False,
) -> str:
    """Write the public header; without `arena_bytes` only the `esv_net` is declared."""
    context = {
        "banner": banner,
        "sentence": SENTENCES["streaming" if streaming else "static"],
        "streaming": streaming,
        "prefix": prefix,
        "speaker": speaker,
        "state_bytes": ram_bytes,
        "arena_bytes": arena_bytes,
        "inputs": [_interface(tensor) for tensor in program.inputs],
        "outputs": [_interface(tensor) for tensor in program.outputs],
    }
    return render("net.h.j2", context)


def emit_net(speaker: Speaker, prefix: str) -> str:
    """Write the `esv_net` constant; `<prefix>_begin`, `_push` and `_finish` come before it."""
    context = {
        "prefix": prefix,
        "sha256": [f"0x{byte:02x}" for byte in speaker.sha256],
        "grids": [(c_float(scale), zero_point) for scale, zero_point in (speaker.input_grid, speaker.output_grid)],
    }
    return render("net_value.c.j2", context)


def emit_constants(program: Program, constants: Constants, *, prefix: str, banner: str) -> str:
    """Write the header that defines weights, parameters and windows; only the net's own source includes it."""
    windows = {
        f"{constants.params[number]}_window": text
        for number, call in enumerate(program.calls)
        if isinstance(call, RowCall) and (text := window_initializer(call)) is not None
    }
    context = {"banner": banner, "prefix": prefix, "definitions": constants.definitions, "windows": windows}
    return render("net_constants.h.j2", context)


def kernel_headers(program: Program) -> list[str]:
    """List the headers that a program's kernels need."""
    return sorted({call.header for call in program.calls if isinstance(call, KernelCall)})


def render(template: str, context: Mapping[str, Any]) -> str:
    """Render one of this converter's templates; a name that is missing is an error."""
    return open_templates(TEMPLATES).get_template(template).render(context).rstrip("\n") + "\n"


def _source_context(
    program: Program, plan: StaticPlan, constants: Constants, prefix: str, banner: str
) -> dict[str, Any]:
    names = name_tensors(program, constants)
    return {
        "banner": banner,
        "prefix": prefix,
        "plan": plan,
        "headers": sorted({*kernel_headers(program), "esv_net.h", "esv_window.h"}),
        "runners": window_runners(program),
        "tensors": list(_variables(program, names, plan)),
        "steps": [
            {
                "operator": call.operation.index,
                "comment": describe(call),
                "lines": statements(number, call, names, plan),
            }
            for number, call in enumerate(program.calls)
        ],
        "input_offsets": [plan.offsets[tensor.index] for tensor in program.inputs],
        "output_offsets": [plan.offsets[tensor.index] for tensor in program.outputs],
    }


def _interface(tensor: Tensor) -> str:
    grid = "" if tensor.scale is None else f", value = {tensor.grid[0]:.9g} * (q - {tensor.grid[1]})"
    return f"{tensor.shape} {C_TYPES[tensor.dtype]}{grid}; '{tensor.name}'"


def _variables(program: Program, names: Names, plan: StaticPlan) -> Iterator[dict[str, Any]]:
    """Yield what declares each tensor that a statement mentions."""
    used = {t.index for call in program.calls if not _is_free(call, plan) for t in (*call.inputs, call.output)}
    computed = {tensor.index: tensor for tensor in (*program.inputs, *(call.output for call in program.calls))}
    for index, tensor in computed.items():
        if index in used:
            ctype, shape = C_TYPES[tensor.dtype], tensor.shape
            yield {"name": names.of(tensor), "ctype": ctype, "offset": plan.offsets[index], "shape": shape}


def _is_free(call: Call, plan: StaticPlan) -> bool:
    """Whether a call is a view that lies in its source's memory."""
    return isinstance(call, ViewCall) and plan.offsets[call.output.index] == plan.offsets.get(call.inputs[0].index)
