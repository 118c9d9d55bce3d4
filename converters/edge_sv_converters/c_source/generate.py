"""The `c_source` generator: a .tflite becomes C99 that calls the kernels of targets/common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from edge_sv.errors import UsageError
from edge_sv.plugins.generator import GeneratedNet, PlanCost, PlanName, Port
from edge_sv_converters.c_source.calls import KernelCall, Program
from edge_sv_converters.c_source.compressed import with_compressed_weights
from edge_sv_converters.c_source.emit import emit_static
from edge_sv_converters.c_source.emitted import EmittedPlan, Speaker, describe_speaker
from edge_sv_converters.c_source.graph import Tensor, read_graph
from edge_sv_converters.c_source.operators.table import lower_graph
from edge_sv_converters.c_source.stream_source import emit_streaming
from edge_sv_converters.c_source.streaming import NotLocal, plan_streaming
from edge_sv_converters.c_source.trace import trace_program
from edge_sv_converters.c_source.weight_bytes import CWeightCosts

MAX_PREFIX = 40


class CSourceGenerator:
    """The `c_source` generator: writes a model as C99; see `edge_sv.plugins.generator.Generator`."""

    weight_costs = CWeightCosts()
    activation_bits = (8,)

    def generate(
        self, model: bytes, *, prefix: str, banner: str, speaker: bool, plan: PlanName | None = None
    ) -> GeneratedNet:
        """Write a model as C99 under the plan that needs less memory, or the one asked for.

        Raises:
            DataError: the model is damaged, or has an operator that cannot be compiled; it is named.
            UsageError: the prefix is no C name, or the model has no such plan.
        """
        check_prefix(prefix)
        graph = with_compressed_weights(read_graph(model))
        program = lower_graph(graph)
        net = describe_speaker(graph, model) if speaker else None
        emitted = [emit_static(program, prefix=prefix, banner=banner, speaker=net)]
        costs = [PlanCost(candidate.name, candidate.ram_bytes) for candidate in emitted]
        if net is not None:
            streamed, cost = _streaming(program, emitted[0].ram_bytes, prefix=prefix, banner=banner, speaker=net)
            emitted += streamed
            costs.append(cost)
        chosen = _choose(emitted, plan)
        return GeneratedNet(
            inputs=tuple(_port(tensor) for tensor in program.inputs),
            outputs=tuple(_port(tensor) for tensor in program.outputs),
            files={_place(name): text.encode() for name, text in sorted(chosen.files.items())},
            plan=chosen.name,
            plans=tuple(costs),
            ram_bytes=chosen.ram_bytes,
            constants=chosen.constants,
            kernels=_kernels(program),
        )

    def trace(self, model: bytes, inputs: Sequence[npt.NDArray[Any]]) -> dict[int, npt.NDArray[Any]]:
        """Run a model's code on this computer, see `edge_sv.plugins.generator.Generator`."""
        return trace_program(lower_graph(with_compressed_weights(read_graph(model))), inputs)


def check_prefix(prefix: str) -> None:
    """Refuse what cannot begin C names.

    Raises:
        UsageError: says what is allowed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", prefix) or len(prefix) > MAX_PREFIX or prefix == "esv_net":
        raise UsageError(
            f"'{prefix}' cannot begin the names of the generated code",
            details={"allowed": f"small letters, digits and _, at most {MAX_PREFIX}, not esv_net"},
        )


def _streaming(
    program: Program, static_bytes: int, *, prefix: str, banner: str, speaker: Speaker
) -> tuple[list[EmittedPlan], PlanCost]:
    """Write the streaming plan if there is one; a net that is not local has one where it needs less than the static."""
    plan = plan_streaming(program)
    obstacle = plan if isinstance(plan, NotLocal) else plan.obstacle
    if isinstance(plan, NotLocal) or (obstacle and plan.state_bytes >= static_bytes):
        return [], PlanCost("streaming", None, f"no, because {obstacle}")
    note = f"for {speaker.frames} frames alone, because {obstacle}" if obstacle else ""
    emitted = emit_streaming(plan, prefix=prefix, banner=banner, speaker=speaker)
    return [emitted], PlanCost("streaming", emitted.ram_bytes, note)


def _choose(emitted: list[EmittedPlan], plan: PlanName | None) -> EmittedPlan:
    candidates = [candidate for candidate in emitted if plan in (None, candidate.name)]
    if not candidates:
        raise UsageError(f"the model has no {plan} plan")
    return min(candidates, key=lambda candidate: candidate.ram_bytes)


def _place(name: str) -> str:
    """Return where a file goes in a package: public headers apart from sources and what they include."""
    public = name.endswith(".h") and not name.endswith("_constants.h")
    return f"include/{name}" if public else f"src/{name}"


def _kernels(program: Program) -> tuple[str, ...]:
    return tuple(sorted({call.kernel for call in program.calls if isinstance(call, KernelCall)}))


def _port(tensor: Tensor) -> Port:
    scale, zero_point = (None, None) if tensor.scale is None else tensor.grid
    return Port(tensor.name, tensor.shape, tensor.dtype, scale, zero_point)
