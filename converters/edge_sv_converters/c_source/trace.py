"""Run a program on this computer and look at every tensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edge_sv.plugins.generator import common_sources
from edge_sv.runtimes.generated_c import CompiledNet
from edge_sv.runtimes.host_compiler import compile_library
from edge_sv.runtimes.interpreter import describe_tensor
from edge_sv_converters.c_source.calls import Program
from edge_sv_converters.c_source.emit import emit_static, whole_tensors
from edge_sv_converters.c_source.plan import plan_apart

PREFIX = "esv_traced"


def trace_program(
    program: Program, inputs: Sequence[npt.NDArray[Any]], *, cache: Path | None = None
) -> dict[int, npt.NDArray[Any]]:
    """Compile a program with every tensor in memory of its own, run it, and return all tensors by index.

    Args:
        program: what to run.
        inputs: one array for each input, of its shape and type.
        cache: where compiled programs are kept; None: the user's cache.

    Raises:
        ToolMissing: there is no C compiler.
        DataError: the program crashed, or does not finish.
    """
    plan = plan_apart(whole_tensors(program))
    emitted = emit_static(program, prefix=PREFIX, banner="Traced.", plan=plan)
    files = {name: text.encode() for name, text in emitted.files.items()}
    library = compile_library({**files, **common_sources(files)}, cache=cache)
    described = {
        tensor.index: describe_tensor(tensor.index, tensor.shape, tensor.dtype)
        for tensor in [*program.inputs, *(call.output for call in program.calls)]
    }
    net = CompiledNet(
        library,
        PREFIX,
        inputs=[described[tensor.index] for tensor in program.inputs],
        outputs=[],
        places={index: (details, plan.offsets[index]) for index, details in described.items()},
    )
    net.run(*inputs)
    return {index: net.tensor(index) for index in described}
