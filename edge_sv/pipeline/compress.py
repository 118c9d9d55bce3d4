"""The first stage: a float net, compressed by a recipe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_sv.artifacts.locate import find_net
from edge_sv.artifacts.net import NET_FILES, net_sha256, read_net
from edge_sv.embedders.keras import KerasEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.pipeline.calibration import cut_calibration
from edge_sv.pipeline.inputs import speech_inputs
from edge_sv.pipeline.request import ConversionRequest
from edge_sv.pipeline.stage import Given, Stage
from edge_sv.recipes.bit_allocation import BitAllocation, read_bit_allocation
from edge_sv.system.files import write_atomic
from edge_sv.system.native_log import held_native_log
from edge_sv.system.packed import is_there, read_file
from edge_sv.system.progress import Steps
from edge_sv.system.stage_cache import StageCache, default_work_folder

CODE = ("edge_sv.training.compress_net", "edge_sv.embedders.keras")
LIBRARIES = ("numpy", "tensorflow", "tensorflow-model-optimization", "tf_keras")


@dataclass(frozen=True)
class Compressed:
    """The net that is converted; None where there is only a converted model."""

    net: Path | None


def compress_stage(
    request: ConversionRequest, *, out: Path | None = None, steps: Steps | None = None
) -> Stage[None, Compressed]:
    """Make the stage.

    Without data the compressed form that came with the net is taken.

    Args:
        request: what is converted.
        out: where the compressed net is wanted besides the cache.
        steps: reports the steps within.
    """
    recipe, data, net = request.recipe, request.data, request.model.net
    speech = speech_inputs(data)
    needs_speech = recipe.fine_tuning is not None or recipe.mixed is not None

    def make(_: None, folder: Path, scratch: Path) -> None:
        assert net is not None
        compress(request, net, run=scratch, out=folder, steps=steps)

    def note(done: Compressed) -> str:
        return f"{recipe.name}: {recipe.description}{_allocation_note(done.net)}"

    def place(done: Compressed) -> tuple[Compressed, bool]:
        assert out is not None
        return Compressed(out), done.net is not None and recipe.compresses and _copy_net(done.net, out)

    return Stage(
        name="compress",
        intent=f"{recipe.description}{'; needs --data INDEX.csv' if needs_data(request) else ''}",
        code=CODE,
        libraries=LIBRARIES,
        inputs=lambda _: [net and net_sha256(net), recipe.to_dict(), speech() if needs_speech else None],
        make=make,
        read=lambda _, folder: _read(folder),
        note=note,
        given=lambda _: _given(request),
        place=place if out is not None and recipe.compresses else None,
    )


def _given(request: ConversionRequest) -> Given[Compressed] | None:
    """Find a net that needs no compression: by its recipe, or because its compressed form came with it."""
    recipe, net = request.recipe, request.model.net
    if not recipe.compresses:
        return Given(Compressed(net), f"{recipe.name} leaves the float net as it is")
    if net is None:
        if request.data is None:
            return Given(Compressed(None), f"{recipe.name}, as it was converted")
        raise UsageError(f"{request.model.path} has no float net beside it to compress")
    if request.data is None and recipe.fine_tuning is not None:
        folder = _bundled(request, net)
        return Given(Compressed(folder), f"{recipe.name}, as it came with the model{_allocation_note(folder)}")
    return None


def compress(request: ConversionRequest, net: Path, *, run: Path, out: Path, steps: Steps | None = None) -> None:
    """Compress a float net, trained on the data's training speakers.

    Args:
        request: recipe and data.
        net: the float net's folder.
        run: folder of the training, gone at the end; an interrupted one goes on from there.
        out: folder that gets the compressed net.
        steps: reports what is being done.

    Raises:
        UsageError: a rule matches no layer, there is no data to train with, or a budget that no plan keeps.
        DataError: the net or the data cannot be used.
    """
    with held_native_log():
        from edge_sv.training.compress_net import compress_net
    if request.data is not None:  # speech that cannot calibrate the net is refused here, not after its training
        cut_calibration(net, request.data)
    compress_net(
        net,
        request.recipe,
        data=request.data,
        out=run,
        origin=net_sha256(net),
        open_teacher=KerasEmbedder,
        find_net=find_net,
        cache=_training_cache(),
        jobs=len(os.sched_getaffinity(0)),
        progress=_bars(steps),
    )
    out.mkdir(parents=True, exist_ok=True)
    _copy_net(run, out)
    shutil.rmtree(run)


def allocate_bits(request: ConversionRequest, *, steps: Steps | None = None) -> BitAllocation | None:
    """Choose each layer's bits, or read the choice of the compressed form that came with the model.

    What is measured for it is kept for the build. None for a recipe that chooses no widths, and without a float net.

    Raises:
        UsageError: a rule matches no layer, or a budget that no allocation keeps.
        DataError: the net or the data cannot be used.
    """
    if request.recipe.mixed is None or request.model.net is None:
        return None
    if request.data is None and not needs_data(request):
        return _bundled_allocation(request)
    with held_native_log():
        from edge_sv.training.bit_widths import find_bit_allocation
    return find_bit_allocation(
        request.model.net, request.recipe, data=request.data, cache=_training_cache(), progress=_bars(steps)
    )


def needs_data(request: ConversionRequest) -> bool:
    """Tell whether bits can be chosen without data, but not the net compressed to them."""
    chooses = request.recipe.mixed is not None and request.model.net is not None
    return chooses and request.data is None and _bundled_allocation(request) is None


def find_compressed(request: ConversionRequest, cache: StageCache) -> Compressed | None:
    """Return the net that an earlier run compressed, None when there is none."""
    return compress_stage(request).find(None, cache)


def _bundled_allocation(request: ConversionRequest) -> BitAllocation | None:
    """Return the allocation of the compressed form that came with the net, if it is of the budget that is asked for."""
    folder = request.model.compressed(request.recipe.name)
    found = read_bit_allocation(folder) if folder else None
    assert request.recipe.mixed is not None
    wanted = request.recipe.mixed.budget if request.budget_is_given else None
    return found if found and wanted in (None, found.budget) else None


def _bundled(request: ConversionRequest, net: Path) -> Path:
    """Return the compressed form that came with a net.

    Raises:
        DataError: there is none, or it is of another net or budget.
    """
    hint = "give --data INDEX.csv: a table of speech files to train with"
    folder = request.model.compressed(request.recipe.name)
    if folder is None:
        raise DataError(f"{net} was never compressed", details={"recipe": request.recipe.name}, hint=hint)
    if read_net(folder).compressed_from != net_sha256(net):
        raise DataError(f"{folder} was compressed from another net than {net}", hint=hint)
    if request.budget_is_given and _bundled_allocation(request) is None:
        found = read_bit_allocation(folder)
        assert request.recipe.mixed is not None
        raise DataError(
            f"{folder} was compressed to another budget",
            details={
                "got": f"{found.budget:,} bytes" if found else "none",
                "wanted": f"{request.recipe.mixed.budget:,} bytes",
            },
            hint=f"{hint}; or leave out --budget",
        )
    return folder


def _allocation_note(net: Path | None) -> str:
    found = read_bit_allocation(net) if net else None
    return f"; {found.describe()}" if found else ""


def _read(folder: Path) -> Compressed:
    """Return a kept net's folder.

    Raises:
        DataError: a file is damaged.
    """
    net_sha256(folder)
    return Compressed(folder)


def _copy_net(net: Path, out: Path) -> bool:
    """Copy a net's own files; return whether any was another."""
    changed = False
    for name in NET_FILES:
        data = read_file(net / name) if is_there(net / name) else None
        if data is not None and not (is_there(out / name) and read_file(out / name) == data):
            write_atomic(out / name, data)
            changed = True
    return changed


def _training_cache() -> Path:
    return default_work_folder().parent / "training"


def _bars(steps: Steps | None) -> Callable[[int, int, str], None]:
    """Show what training reports as one bar for each kind of step."""
    bars: dict[str, Callable[[int, int], None]] = {}

    def progress(done: int, total: int, what: str) -> None:
        kind = what.split()[0]
        if steps and kind not in bars:
            bars[kind] = steps(what)
        if kind in bars:
            bars[kind](done, total)

    return progress
