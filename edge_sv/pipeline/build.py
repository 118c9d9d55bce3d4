"""From a model to a package, or to a converted model: which stages, in which order.

A float net or converted model: compress > convert > check > package. A .tflite without a front end: check > package.
`convert` is the first list without its last stage.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sv.artifacts.artifact import COMPRESSED_DIR, ModelArtifact
from edge_sv.artifacts.check_report import CheckKind, CheckReport
from edge_sv.artifacts.net import WEIGHTS_FILE
from edge_sv.embedders.model import DEFAULT_MODEL
from edge_sv.errors import DoesNotFit
from edge_sv.package import DevicePackage, Footprint, check_budget, estimate_footprint
from edge_sv.package.budget import HasLayerCosts
from edge_sv.package.net_only import generate_net_only, measure_net_only
from edge_sv.pipeline.check import Checked, check_stage
from edge_sv.pipeline.compress import allocate_bits, compress_stage, needs_data
from edge_sv.pipeline.convert import convert_stage
from edge_sv.pipeline.net_only import net_only_stages, read_request
from edge_sv.pipeline.package import package_stage, refuse_foreign_folder
from edge_sv.pipeline.request import (
    DEFAULT_TARGET,
    BuildRequest,
    ConversionRequest,
    build_request,
    conversion_request,
)
from edge_sv.pipeline.stage import AnyStage, OnStage, StageOutcome, find_stages, run_stages
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.recipe import DEFAULT_RECIPE
from edge_sv.system.extras import require_extras
from edge_sv.system.npz import read_arrays
from edge_sv.system.progress import Steps
from edge_sv.system.stage_cache import StageCache

_BYTES_PER_CHANNEL, _BYTES_PER_LAYER = 36, 600
"""Of a .tflite beside the weights: bias, scales and zero points; names and tables. For estimates before converting."""


@dataclass(frozen=True)
class Build:
    """A finished build.

    Args:
        package: what was built.
        report: what the check measured; None for a net without a front end, whose manifest says what was compared.
        stages: what became of each.
    """

    package: DevicePackage
    report: CheckReport | None
    stages: tuple[StageOutcome, ...]

    @property
    def check(self) -> dict[str, Any]:
        """What was compared, JSON values."""
        return self.report.to_dict() if self.report else dict(self.package.manifest.check or {})

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
            "model": manifest.model.name,
            "target": manifest.target.name,
            "recipe": manifest.model.recipe,
            "model_bytes": self.model_bytes,
            "flash_bytes": sizes.flash_bytes,
            "ram_bytes": sizes.ram_bytes,
            "arena_bytes": self.arena_bytes,
            "lookup": lookup.model_dump() if lookup else None,
            "plan": generated.plan if generated else None,
            "plans": [plan.model_dump() for plan in generated.plans] if generated else [],
            "cosine_to_float": self.report.cosine_to_float if self.report else None,
            "bit_exact": self.check["bit_exact"],
            "check_made": self.report.made if self.report else "full",
            "check": self.check,
            "stages": [asdict(stage) for stage in self.stages],
        }


@dataclass(frozen=True)
class DryRun:
    """What a build would do.

    Args:
        out: where the package would go.
        stages: which of them would run.
        footprint: what the package would cost; arena and code are None before the model is converted.
        measured: False when `footprint` is an estimate from the float net's weights.
        problem: why it does not fit, None when it does as far as is known.
        allocation: bits of each layer, where the recipe chooses them.
    """

    out: Path
    stages: tuple[StageOutcome, ...]
    footprint: Footprint
    measured: bool
    problem: DoesNotFit | None
    allocation: BitAllocation | None = None

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
            "widths": self.allocation.to_dict() if self.allocation else None,
        }


def build(request: BuildRequest, *, on_stage: OnStage | None = None, steps: Steps | None = None) -> Build:
    """Build a package; what an earlier build has made of the same inputs is taken from the cache.

    Args:
        request: what is built; `edge_sv.pipeline.request.build_request` makes one.
        on_stage: called after each stage.
        steps: reports the steps within a stage.

    Raises:
        UsageError: the package's place is taken by something else, or a budget that no allocation keeps.
        DataError: the model or the data cannot be used, or there is no converted form and no data to make one with.
        AccuracyGateFailed: the converted model does not compute what the float net computes.
        DoesNotFit: the package is larger than a limit.
        ToolMissing: packages are needed that are not installed; all are named.
    """
    refuse_foreign_folder(request.out)
    require_tools(request)
    cache = StageCache(request.conversion.work)
    results, outcomes = run_stages(build_stages(request, steps=steps), None, cache, on_stage=on_stage)
    checked, package = results[-2:]
    return Build(package, checked.report if isinstance(checked, Checked) else None, tuple(outcomes))


def convert(
    request: ConversionRequest, out: Path, *, on_stage: OnStage | None = None, steps: Steps | None = None
) -> Checked:
    """Convert a float net, check it, set its threshold and write the artifact's folder.

    A recipe that compresses first writes the compressed net into `compressed/<recipe>` of the float net's folder.

    Args:
        request: a float net and data with development lists.
        out: where the artifact goes.
        on_stage: called after each stage.
        steps: reports the steps within a stage.

    Raises:
        AccuracyGateFailed: the converted model does not compute what the net computes.
        DataError: the net or the data cannot be used.
        ToolMissing: packages are needed that are not installed; all are named.
    """
    require_extras("train", "micro", purpose="converting a net")
    compressed = request.model.path / COMPRESSED_DIR / request.recipe.name
    stages = conversion_stages(request, compressed=compressed, out=out, steps=steps)
    results, _ = run_stages(stages, None, StageCache(request.work), on_stage=on_stage)
    checked: Checked = results[-1]
    return checked


def conversion_stages(
    request: ConversionRequest, *, compressed: Path | None = None, out: Path | None = None, steps: Steps | None = None
) -> tuple[AnyStage, ...]:
    """List the stages from a float net to a checked artifact.

    Args:
        request: what is converted.
        compressed: where the compressed net is wanted besides the cache.
        out: where the checked artifact is wanted.
        steps: reports the steps within a stage.
    """
    return (
        compress_stage(request, out=compressed, steps=steps),
        convert_stage(request),
        check_stage(request, out=out, steps=steps),
    )


def build_stages(request: BuildRequest, *, steps: Steps | None = None) -> tuple[AnyStage, ...]:
    """List the stages of a build."""
    if request.is_net_only:
        return net_only_stages(request)
    return *conversion_stages(request.conversion, steps=steps), package_stage(request)


def require_tools(request: BuildRequest) -> None:
    """Refuse a build for which packages are missing.

    Raises:
        ToolMissing: names all of them at once.
    """
    conversion = request.conversion
    needed = []
    if not request.is_net_only and (conversion.data is not None or conversion.check == "full"):
        needed.append("train")
    if request.is_net_only or conversion.check == "full" or (conversion.data is not None and conversion.micro):
        needed.append("micro")
    require_extras(*needed, purpose="this build")


def dry_run(request: BuildRequest, *, steps: Steps | None = None) -> DryRun:
    """Say what a build would do and cost; no stage is run. Errors as `build`.

    Where the recipe chooses bits for each layer, they are chosen; what was measured for that is kept for the build.
    """
    if request.is_net_only:
        return _dry_run_net_only(request)
    conversion = request.conversion
    allocation = allocate_bits(conversion, steps=steps)
    stages, cache = build_stages(request), StageCache(conversion.work)
    found: list[Any | None] = []
    if needs_data(conversion):
        outcomes = [StageOutcome(stage.name, "needed", stage.intent) for stage in stages]
    else:
        found, outcomes = find_stages(stages, None, cache)
    known = next((result.artifact for result in reversed(found[1:3]) if result is not None), None)
    footprint = estimate_footprint(known, request.target, code=request.code) if known else estimate_float(conversion)
    problem = _problem(known, request, footprint) if known else None
    return DryRun(request.out, tuple(outcomes), footprint, known is not None, problem, allocation)


def _dry_run_net_only(request: BuildRequest) -> DryRun:
    net = read_request(request)
    footprint = measure_net_only(generate_net_only(net, request.code))
    _, outcomes = find_stages(net_only_stages(request), None, StageCache(request.conversion.work))
    return DryRun(request.out, tuple(outcomes), footprint, True, _problem(net, request, footprint))


def estimate_float(request: ConversionRequest) -> Footprint:
    """Estimate the size of an int8 model from the float weights.

    Raises:
        DataError: the weights cannot be read.
    """
    arrays = read_arrays((request.model.net or request.model.path) / WEIGHTS_FILE)
    kernels = [array for name, array in arrays.items() if name.endswith("kernel")]
    channels = sum(kernel.shape[-1] for kernel in kernels)
    weights = sum(kernel.size for kernel in kernels)
    return Footprint(weights + channels * _BYTES_PER_CHANNEL + len(kernels) * _BYTES_PER_LAYER)


def _problem(net: HasLayerCosts, request: BuildRequest, footprint: Footprint) -> DoesNotFit | None:
    limits = request.limits
    try:
        check_budget(net, request.target, footprint, max_flash=limits.flash, max_ram=limits.ram)
    except DoesNotFit as error:
        return error
    return None


def build_package(
    model: str | Path = DEFAULT_MODEL,
    *,
    target: str = DEFAULT_TARGET,
    out: str | Path | None = None,
    recipe: str | None = None,
    data: str | Path | None = None,
    check: CheckKind | None = None,
) -> Build:
    """Build a package for a device; all other options are `build_request`'s, whose result `build` takes.

    Args:
        model: a bundled net's name, the folder of a float net or converted model; or an int8 .tflite for `cortex-m`.
        target: `tflite-micro`, `tflite`, `cortex-m`, or the path of a target.toml.
        out: the package's folder; None: `build/<model>-<target>`.
        recipe: a bundled recipe's name or a file; None: int8.
        data: table of speech files to train and calibrate with; None: what came with the model is taken.
        check: `full`, `reference` or `recorded`; None: the strongest that the installed packages allow.

    Raises:
        EdgeSvError: as `build_request` and `build`.

    >>> import edge_sv, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     built = edge_sv.build("resnet-nano", target="tflite", out=f"{folder}/phone", check="recorded")
    >>> built.package.manifest.target.name, built.check["made"]
    ('tflite', 'recorded')
    """
    request = build_request(
        model,
        target=target,
        out=Path(out) if out else None,
        recipe=recipe,
        data=Path(data) if data else None,
        check=check,
    )
    return build(request)


def convert_net(
    net: str | Path, data: str | Path, *, out: str | Path | None = None, recipe: str = DEFAULT_RECIPE
) -> ModelArtifact:
    """Convert a float net with speech; all other options are `conversion_request`'s, whose result `convert` takes.

    Args:
        net: a bundled net's name or a float net's folder.
        data: table of speech files, with development lists beside it.
        out: the artifact's folder; None: `<net>/<recipe>`.
        recipe: a bundled recipe's name or a file.

    Raises:
        EdgeSvError: as `conversion_request` and `convert`.
    """
    request = conversion_request(net, recipe=recipe, data=Path(data))
    return convert(request, Path(out) if out else request.model.path / request.recipe.name).artifact
