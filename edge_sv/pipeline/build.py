"""From a float net to a package for a device: compress > convert > check > package, unchanged stages skipped.

The only file that knows the order of the stages.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from edge_sv.errors import DataError, DoesNotFit
from edge_sv.package import DevicePackage, Footprint, check_budget, estimate_footprint
from edge_sv.package.budget import HasLayerCosts
from edge_sv.package.target import Target, load_target
from edge_sv.pipeline.check_conversion import Steps
from edge_sv.pipeline.net_only_stages import NetOnlyStages, find_net_only
from edge_sv.pipeline.package_stage import NO_LIMITS, Limits, Staged, Value, refuse_foreign_folder
from edge_sv.pipeline.source import find_source
from edge_sv.pipeline.stages import Stages
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.recipe import DEFAULT_RECIPE
from edge_sv.system.stage_cache import StageCache, default_work_folder

DEFAULT_MODEL, DEFAULT_TARGET = "resnet-nano", "tflite-micro"
_BYTES_PER_CHANNEL, _BYTES_PER_LAYER = 36, 600
"""Of a .tflite beside the weights: bias, scales and zero points; names and tables. For estimates before converting."""


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage.

    Args:
        name: compress, convert, check or package.
        status: `done`, or `unchanged` when its result was there; in a plan `needed` or `unchanged`.
        note: what was done, or where the result comes from.
        seconds: wall time.
    """

    name: str
    status: Literal["done", "unchanged", "needed"]
    note: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Build:
    """A finished build."""

    package: DevicePackage
    check: dict[str, Any]
    stages: tuple[StageOutcome, ...]

    @property
    def model_bytes(self) -> int:
        """Size of the model in the package."""
        return self.package.manifest.sizes.model_bytes

    @property
    def arena_bytes(self) -> int | None:
        """Memory to reserve for tensors; None where the runtime takes it itself."""
        return self.package.arena_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return what `edge-sv build --json` prints."""
        manifest = self.package.manifest
        sizes, generated, lookup = manifest.sizes, manifest.generated, manifest.lookup
        return {
            "package": str(self.package.path),
            "model": self.package.manifest.model.name,
            "target": self.package.manifest.target.name,
            "recipe": self.package.manifest.model.recipe,
            "model_bytes": self.model_bytes,
            "flash_bytes": sizes.flash_bytes,
            "ram_bytes": sizes.ram_bytes,
            "arena_bytes": self.arena_bytes,
            "lookup": lookup.model_dump() if lookup else None,
            "plan": generated.plan if generated else None,
            "plans": [plan.model_dump() for plan in generated.plans] if generated else [],
            "cosine_to_float": (self.check.get("uncompressed") or self.check).get("cosine_min"),
            "bit_exact": self.check["bit_exact"],
            "check": self.check,
            "stages": [asdict(stage) for stage in self.stages],
        }


@dataclass(frozen=True)
class Plan:
    """What a build would do.

    Args:
        out: where the package would go.
        stages: which of them would run.
        footprint: what the package would cost; arena and code are None before the model is converted.
        measured: False when `footprint` is an estimate from the float net's weights.
        problem: why it does not fit, None when it does as far as is known.
        widths: of each layer, where the recipe chooses them.
    """

    out: Path
    stages: tuple[StageOutcome, ...]
    footprint: Footprint
    measured: bool
    problem: DoesNotFit | None
    widths: BitAllocation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what `edge-sv build --dry-run --json` prints."""
        return {
            "package": str(self.out),
            "dry_run": True,
            "stages": [{"name": s.name, "status": s.status, "note": s.note} for s in self.stages],
            "measured": self.measured,
            "model_bytes": self.footprint.model_bytes,
            "flash_bytes": self.footprint.flash_bytes if self.measured else None,
            "ram_bytes": self.footprint.ram_bytes,
            "arena_bytes": self.footprint.arena_bytes,
            "fits": self.problem is None,
            "widths": self.widths.to_dict() if self.widths else None,
        }


def build(
    model: Path | str,
    *,
    target: str = DEFAULT_TARGET,
    out: Path | None = None,
    recipe: str = DEFAULT_RECIPE,
    data: Path | None = None,
    work: Path | None = None,
    limits: Limits = NO_LIMITS,
    budget: int | None = None,
    code: CodeOptions = DEFAULT_CODE,
    listen: Callable[[StageOutcome], None] | None = None,
    steps: Steps | None = None,
) -> Build:
    """Build a package.

    Args:
        model: a bundled net's name, a float net's folder or an artifact's folder; for targets with generated code any
            int8 .tflite, too.
        target: a target's name, or the path of a target.toml.
        out: the package's folder; None: `build/<model>-<target>`.
        recipe: the compression.
        data: table of speech files to calibrate and check with. None: the converted form that came with the model is
            taken, and checked on the bundled synthetic voices.
        work: where finished stages are kept; None: the user's cache.
        limits: the target's own hold as well.
        budget: bytes of all weights, for a recipe that chooses widths; None: the recipe's own.
        code: how generated code is written.
        listen: called after each stage.
        steps: reports the steps within a stage.

    Raises:
        UsageError: unknown model, target or recipe, a budget that no plan keeps, or `out` is something else than a
            package.
        DataError: the model or the data cannot be used, or there is no converted form and no data to make one with.
        AccuracyGateFailed: the converted model does not compute what the float net computes.
        DoesNotFit: the package is larger than a limit.
        ToolMissing: TensorFlow or tflite-micro is needed and not installed.
    """
    bare = find_net_only(model)
    if bare is not None:
        return _build_bare(
            _net_only_stages(bare, target, work, code), out or _net_only_out(bare, target), limits, listen
        )
    stages = make_stages(model, target, recipe, data, work, steps=steps, code=code, budget=budget)
    place = out or default_out(stages)
    refuse_foreign_folder(place)
    run, outcomes = _runner(listen)
    net = run("compress", stages.compress)
    artifact = run("convert", lambda: stages.convert(net))
    checked = run("check", lambda: stages.check(artifact, net))
    package = run("package", lambda: stages.package(checked, place, limits))
    return Build(package, checked.report, tuple(outcomes))


def _build_bare(
    stages: NetOnlyStages, out: Path, limits: Limits, listen: Callable[[StageOutcome], None] | None
) -> Build:
    refuse_foreign_folder(out)
    run, outcomes = _runner(listen)
    vectors = run("check", stages.check)
    package = run("package", lambda: stages.package(vectors, out, limits))
    return Build(package, package.manifest.check or {}, tuple(outcomes))


class _Run(Protocol):
    def __call__(self, name: str, stage: Callable[[], Staged[Value]]) -> Value:
        """Run a stage and note what became of it."""


def _runner(listen: Callable[[StageOutcome], None] | None) -> tuple[_Run, list[StageOutcome]]:
    outcomes: list[StageOutcome] = []

    def run(name: str, stage: Callable[[], Staged[Value]]) -> Value:
        start = time.perf_counter()
        staged = stage()
        status: Literal["done", "unchanged"] = "unchanged" if staged.kept else "done"
        outcomes.append(StageOutcome(name, status, staged.note, round(time.perf_counter() - start, 3)))
        if listen:
            listen(outcomes[-1])
        return staged.value

    return run, outcomes


def plan(
    model: Path | str,
    *,
    target: str = DEFAULT_TARGET,
    out: Path | None = None,
    recipe: str = DEFAULT_RECIPE,
    data: Path | None = None,
    work: Path | None = None,
    limits: Limits = NO_LIMITS,
    budget: int | None = None,
    code: CodeOptions = DEFAULT_CODE,
    steps: Steps | None = None,
) -> Plan:
    """Say what a build would do and cost, without converting anything; arguments and errors as `build`.

    Where the recipe chooses widths, they are planned; what was measured for that is kept for the build.
    """
    bare = find_net_only(model)
    if bare is not None:
        return _dry_run_net_only(
            _net_only_stages(bare, target, work, code), out or _net_only_out(bare, target), load_target(target), limits
        )
    stages = make_stages(model, target, recipe, data, work, steps=steps, code=code, budget=budget)
    widths = stages.widths()
    trains = data is not None or stages.needs_data
    net = stages.kept_net() if trains else stages.compress().value
    artifact = stages.convert(net).value if not trains else stages.kept_artifact(net) if net else None
    checked = stages.kept_check(artifact, net) if artifact else None
    packaged = checked is not None and stages.cache.folder("package", stages.package_inputs(checked, limits)).is_dir()
    outcomes = (
        _planned("compress", net is not None, _compress_note(stages)),
        _planned("convert", artifact is not None, _convert_note(stages)),
        _planned("check", checked is not None, f"on {data}" if data else "on the bundled synthetic voices"),
        _planned("package", packaged, f"for {stages.target.name}"),
    )
    known = checked.artifact if checked else artifact
    footprint = estimate_footprint(known, stages.target, code=code) if known else estimate_float(stages)
    problem = _problem(known, stages.target, footprint, limits) if known else None
    return Plan(out or default_out(stages), outcomes, footprint, known is not None, problem, widths)


def _compress_note(stages: Stages) -> str:
    return f"{stages.plan.description}{'; needs --data INDEX.csv' if stages.needs_data else ''}"


def _convert_note(stages: Stages) -> str:
    if stages.data is not None:
        return f"calibrate with {stages.data}"
    return "calibrate with the data" if stages.needs_data else "as it came with the model"


def _dry_run_net_only(stages: NetOnlyStages, out: Path, target: Target, limits: Limits) -> Plan:
    footprint = stages.measure()
    outcomes = (
        StageOutcome("check", "needed", "random inputs through TensorFlow Lite Micro"),
        StageOutcome("package", "needed", f"for {target.name}"),
    )
    return Plan(out, outcomes, footprint, True, _problem(stages.net, target, footprint, limits))


def make_stages(
    model: Path | str,
    target: str,
    recipe: str,
    data: Path | None,
    work: Path | None,
    *,
    steps: Steps | None = None,
    code: CodeOptions = DEFAULT_CODE,
    budget: int | None = None,
) -> Stages:
    """Look up everything that a build is about, before anything runs."""
    found, cache = load_target(target), StageCache(work or default_work_folder())
    return Stages(find_source(model, recipe), found, recipe, data, cache, steps, code, budget)


def _net_only_stages(path: Path, target: str, work: Path | None, code: CodeOptions) -> NetOnlyStages:
    return NetOnlyStages(path, load_target(target), StageCache(work or default_work_folder()), code=code)


def _net_only_out(path: Path, target: str) -> Path:
    return Path("build") / f"{path.stem}-{load_target(target).name}"


def default_out(stages: Stages) -> Path:
    """Return `build/<model>-<target>`."""
    source = stages.source.net or stages.source.artifact
    name = source.resolve().name if source else "model"
    return Path("build") / f"{name}-{stages.target.name}"


def estimate_float(stages: Stages) -> Footprint:
    """Estimate the size of an int8 model from the float weights.

    Raises:
        DataError: the weights cannot be read.
    """
    path = (stages.source.net or Path()) / "weights.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            kernels = [archive[name] for name in archive.files if name.endswith("kernel")]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"cannot read {path}", details={"got": str(error)}) from error
    channels = sum(kernel.shape[-1] for kernel in kernels)
    weights = sum(kernel.size for kernel in kernels)
    return Footprint(weights + channels * _BYTES_PER_CHANNEL + len(kernels) * _BYTES_PER_LAYER)


def _planned(name: str, kept: bool, note: str) -> StageOutcome:
    return StageOutcome(name, "unchanged" if kept else "needed", note)


def _problem(net: HasLayerCosts, target: Target, footprint: Footprint, limits: Limits) -> DoesNotFit | None:
    try:
        check_budget(net, target, footprint, max_flash=limits.flash, max_ram=limits.ram)
    except DoesNotFit as error:
        return error
    return None
