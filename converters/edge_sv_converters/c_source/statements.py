"""A call as C statements, for a plan that has whole tensors in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_sv.system.templates import Code
from edge_sv_converters.c_source.calls import (
    Call,
    ElementCall,
    KernelCall,
    Program,
    ReduceCall,
    RowCall,
    ViewCall,
    WholeCall,
)
from edge_sv_converters.c_source.constants import C_TYPES, Constants, identifier
from edge_sv_converters.c_source.graph import Tensor
from edge_sv_converters.c_source.plan import StaticPlan, aligned, padding_row_bytes


@dataclass(frozen=True)
class WindowRunner:
    """A helper in the generated code: all rows of a kernel over one input.

    Args:
        name: its name.
        kernel: the kernel that it calls.
        params: the kernel's parameter struct.
        source: C type of the input.
        output: C type of the output.
        taps: the most rows that it hands over.
    """

    name: str
    kernel: str
    params: str
    source: str
    output: str
    taps: int


@dataclass(frozen=True)
class Names:
    """What things are called in the generated code."""

    constants: Constants
    tensors: Mapping[int, str]

    def of(self, tensor: Tensor) -> str:
        """Return the C expression for a tensor's first value."""
        return self.tensors[tensor.index]


def name_tensors(program: Program, constants: Constants) -> Names:
    """Give every computed tensor a variable, every constant one its array."""
    computed = [*program.inputs, *(call.output for call in program.calls)]
    variables = {tensor.index: f"t{tensor.index}_{identifier(tensor.name)}" for tensor in computed}
    return Names(constants, {**constants.tensors, **variables})


def window_runners(program: Program) -> list[WindowRunner]:
    """List the helpers that a program needs, each once."""
    runners: dict[str, WindowRunner] = {}
    for call in program.calls:
        if isinstance(call, RowCall) and call.window is not None:
            runner = _runner(call, call.window.height)
            taps = max(runner.taps, runners[runner.name].taps if runner.name in runners else 0)
            runners[runner.name] = _runner(call, taps)
    return [runners[name] for name in sorted(runners)]


def window_initializer(call: RowCall) -> Code | None:
    """Return the members of a call's `esv_window`, None when it has no window."""
    window = call.window
    if window is None:
        return None
    source, output = call.inputs[0], call.output
    members = {
        "in_rows": source.num_rows,
        "out_rows": output.num_rows,
        "in_stride": source.row_elements,
        "out_stride": output.row_elements,
        "taps": window.height,
        "stride": window.stride,
        "dilation": window.dilation,
        "pad_top": window.pad_top,
        "pad_value": window.pad_value or 0,
    }
    return Code("".join(f"\n    {value}, /* {name} */" for name, value in members.items()) + "\n")


def statements(number: int, call: Call, names: Names, plan: StaticPlan) -> list[Code]:
    """Write the C statements of a call, a line each."""
    return [Code(line) for line in _statements(number, call, names, plan)]


def _statements(number: int, call: Call, names: Names, plan: StaticPlan) -> list[str]:
    if isinstance(call, ViewCall):
        return _view(call, names, plan)
    assert isinstance(call, KernelCall)
    params = f"&{names.constants.params[number]}"
    scratch = f"arena + {plan.scratch[number]}" if number in plan.scratch else "NULL"
    if isinstance(call, ReduceCall):
        return _reduce(call, names, params, scratch)
    if isinstance(call, RowCall):
        return _row(number, call, names, params, scratch, plan)
    if isinstance(call, ElementCall):
        return _element(call, names, params)
    assert isinstance(call, WholeCall)
    arguments = [params, *(names.of(tensor) for tensor in call.inputs), names.of(call.output), scratch]
    return [f"{call.kernel}({', '.join(arguments)});"]


def describe(call: Call) -> str:
    """Say in one line what a call computes; names are as the model has them."""
    shapes = ", ".join(f"{tensor.shape}" for tensor in call.inputs)
    operation = call.operation
    return f"{operation.index} {operation.kind} {call.output.name}: {shapes} -> {call.output.shape} {call.output.dtype}"


def _runner(call: RowCall, taps: int) -> WindowRunner:
    source, output = C_TYPES[call.inputs[0].dtype], C_TYPES[call.output.dtype]
    return WindowRunner(f"{call.kernel}_rows", call.kernel, call.params.ctype, source, output, taps)


def _view(call: ViewCall, names: Names, plan: StaticPlan) -> list[str]:
    source = call.inputs[0]
    if plan.offsets[call.output.index] == plan.offsets.get(source.index):
        return ["/* the same memory under another shape */"]
    return [f"memcpy({names.of(call.output)}, {names.of(source)}, {source.num_bytes});"]


def _row(number: int, call: RowCall, names: Names, params: str, scratch: str, plan: StaticPlan) -> list[str]:
    if call.window is not None:
        offset = plan.scratch.get(number, 0) + aligned(call.scratch_bytes)
        ctype = C_TYPES[call.inputs[0].dtype]
        padding = f"({ctype} *)(arena + {offset})" if padding_row_bytes(call) else "NULL"
        window = names.constants.params[number] + "_window"
        source, output = names.of(call.inputs[0]), names.of(call.output)
        return [f"{call.kernel}_rows(&{window}, {params}, {source}, {output}, {padding}, {scratch});"]
    ctype = C_TYPES[call.inputs[0].dtype]
    rows = ", ".join(_at_row(tensor, names) for tensor in call.inputs)
    body = [
        f"const {ctype} *const rows[{len(call.inputs)}] = {{{rows}}};",
        f"{call.kernel}({params}, rows, {_at_row(call.output, names)}, {scratch});",
    ]
    return _loop(call.output.num_rows, body)


def _element(call: ElementCall, names: Names, params: str) -> list[str]:
    rows, output = call.output.num_rows, call.output
    if not call.fixed or rows == 1:
        arguments = [*(names.of(tensor) for tensor in call.inputs), names.of(output)]
        return [f"{call.kernel}({params}, {', '.join(arguments)}, {output.elements});"]
    arguments = [
        names.of(tensor) if position in call.fixed else _at_row(tensor, names)
        for position, tensor in enumerate(call.inputs)
    ]
    arguments.append(_at_row(output, names))
    return _loop(rows, [f"{call.kernel}({params}, {', '.join(arguments)}, {output.row_elements});"])


def _reduce(call: ReduceCall, names: Names, params: str, scratch: str) -> list[str]:
    source = call.inputs[0]
    return [
        f"{call.kernel}_begin({params}, {scratch});",
        *_loop(source.num_rows, [f"{call.kernel}_add({params}, {_at_row(source, names)}, {scratch});"]),
        f"{call.kernel}_finish({params}, {scratch}, {source.num_rows}, {names.of(call.output)});",
    ]


def _at_row(tensor: Tensor, names: Names) -> str:
    return f"{names.of(tensor)} + row * {tensor.row_elements}"


def _loop(rows: int, body: list[str]) -> list[str]:
    return [f"for (size_t row = 0; row < {rows}; ++row) {{", *(f"    {line}" for line in body), "}"]
