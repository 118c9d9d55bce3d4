"""A net-only package on an emulated board: its golden vectors, and what they cost."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.emulation.board import Board
from edge_sv.emulation.device import build_net_program, operator_counts
from edge_sv.emulation.qemu import FirmwareRun, run_program
from edge_sv.emulation.reference import Difference, count_differences
from edge_sv.emulation.report import Emulation, OperatorCost
from edge_sv.errors import DataError, UsageError, reason_of
from edge_sv.package.manifest import GeneratedPart, Port
from edge_sv.package.read import DevicePackage
from edge_sv.system.files import read_file
from edge_sv.tflite.layer_cost import LayerProfile

FLOAT_ULPS = 4
_INFERENCE = re.compile(r"^inference (\d{1,18})$", re.MULTILINE)


def emulate_net_only(package: DevicePackage, board: Board, *, listen: Callable[[str], None]) -> Emulation:
    """Run a net-only package's golden vectors on an emulated board.

    Args:
        package: of kind cortex-m.
        board: where it runs.
        listen: called with what is being done.

    Raises:
        UsageError: the package holds no generated code.
        DoesNotFit: it is larger than the board.
        DataError: it cannot be compiled, or crashed.
        ToolMissing: the compiler or the emulator is not installed.
    """
    generated = package.manifest.generated
    if generated is None:
        raise UsageError(f"{package.path} holds no generated code", hint="edge-sv build ... --target cortex-m")
    names = [golden.name for golden in package.manifest.golden]
    with tempfile.TemporaryDirectory(prefix="edge-sv-emulate-") as folder:
        listen("compile")
        run = _run(package, generated, board, names, Path(folder))
        listen("golden vectors")
        differences = _compare(package, generated, names, Path(folder))
        one = _run(package, generated, board, names[:1], Path(folder))
        listen("count instructions")
        counted = _run(package, generated, board, names[:1], Path(folder), defines={"ESV_OPERATOR_HOOK": 1})
    inference = _inference(one)
    return Emulation(
        board=board,
        package=str(package.path),
        model=package.manifest.model.name,
        plan=generated.plan,
        differences=differences,
        instructions={"inference": inference, "total": inference},
        per="invocation",
        measured=f"golden/{names[0]}",
        code_bytes=run.code_bytes,
        flash_bytes=run.flash_bytes,
        ram_bytes=run.ram_bytes,
        state_bytes=package.manifest.sizes.state_bytes or 0,
        stack_bytes=run.stack_bytes,
        operators=_operators(package, operator_counts(counted.output)),
    )


def _run(
    package: DevicePackage,
    generated: GeneratedPart,
    board: Board,
    names: Sequence[str],
    folder: Path,
    *,
    defines: dict[str, str | int] | None = None,
) -> FirmwareRun:
    """Run some vectors; their outputs, one after the other, are then in `output0.bin`, ..."""
    prefix = generated.prefix
    words = [str(len(names))]
    for kind, sign, ports in (("input", "<", generated.inputs), ("output", ">", generated.outputs)):
        for number, port in enumerate(ports):
            words += [f"{sign}{kind}{number}.bin", str(_bytes(port))]
    for number in range(len(generated.inputs)):
        values = [_read(package.path / "golden" / name / f"input{number}.bin") for name in names]
        (folder / f"input{number}.bin").write_bytes(b"".join(values))
    with tempfile.TemporaryDirectory(dir=folder) as build:
        program = build_net_program(
            package.path,
            prefix,
            board,
            folder=Path(build),
            product="model_product.c",
            main=["model.c"],
            header=f"{prefix}.h",
            defines=defines,
        )
        return run_program(program, arguments=words, folder=folder)


def _compare(
    package: DevicePackage, generated: GeneratedPart, names: Sequence[str], folder: Path
) -> tuple[Difference, ...]:
    found = dict.fromkeys(names, 0)
    for number, port in enumerate(generated.outputs):
        size = _bytes(port)
        got = _read(folder / f"output{number}.bin")
        for place, name in enumerate(names):
            wanted = _read(package.path / "golden" / name / f"output{number}.bin")
            mine = got[place * size : (place + 1) * size]
            found[name] += _count(np.frombuffer(mine, port.dtype), np.frombuffer(wanted, port.dtype))
    return tuple(Difference(f"golden/{name}", 0, wrong, 0) for name, wrong in found.items())


def _count(mine: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> int:
    """Count values that differ; floats may by some units in the last place, where TFLM computes by the C library."""
    if mine.dtype != np.float32:
        return count_differences(mine, wanted)
    with np.errstate(invalid="ignore"):  # two infinities, or none: their bits are compared
        near = np.abs(mine - wanted) <= FLOAT_ULPS * np.spacing(np.abs(wanted))
    return int(np.count_nonzero(~(near | (mine.view(np.int32) == wanted.view(np.int32)))))


def _operators(package: DevicePackage, counts: dict[int, int]) -> tuple[OperatorCost, ...]:
    layers = [LayerProfile.from_dict(layer) for layer in package.manifest.layers]
    return tuple(
        OperatorCost(number, layer.name, layer.kind, counts.get(number, 0), layer.macs)
        for number, layer in enumerate(layers)
    )


def _inference(run: FirmwareRun) -> int:
    found = _INFERENCE.search(run.output)
    if found is None:
        raise DataError("the program reported no instruction counts", details={"got": run.complaint})
    return int(found[1])


def _bytes(port: Port) -> int:
    return int(np.prod(port.shape, dtype=np.int64)) * np.dtype(port.dtype).itemsize


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
