"""What is asked of the pipeline: every option once, parsed and looked up before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.check_report import CheckKind
from edge_sv.artifacts.locate import LocatedModel, ModelKind, find_net, locate
from edge_sv.embedders.model import DEFAULT_MODEL
from edge_sv.errors import UsageError
from edge_sv.package.bit_widths import check_widths
from edge_sv.package.kind import find_kind
from edge_sv.package.target import Target, load_target
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions
from edge_sv.recipes.reading import load_recipe, parse_recipe
from edge_sv.recipes.recipe import CONVERTER_BITS, DEFAULT_RECIPE, CompressionRecipe
from edge_sv.scoring.scores import ScoringKind
from edge_sv.system.stage_cache import default_work_folder

DEFAULT_TARGET = "tflite-micro"
DEFAULT_CONVERTER = "tflite"
FALSE_ACCEPT_RATE = 0.01
"""That a threshold is set for."""


@dataclass(frozen=True)
class Limits:
    """Bytes that the caller allows; the target's own limits hold as well."""

    flash: int | None = None
    ram: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class ConversionRequest:
    """A model to compress, convert and check.

    Args:
        model: a float net, or a converted model that is taken as it is.
        recipe: its compression, with the budget that is asked for.
        budget_is_given: whether that budget is the caller's and not the recipe's own.
        data: table of speech files to train, calibrate and check with. None: the converted form that came with the
            model is taken, and checked on the bundled synthetic voices.
        work: where finished stages are kept.
        converter: name of the plug-in.
        micro: whether TensorFlow Lite Micro must compute the same.
        check: None: the strongest that the installed packages allow.
        scoring: the default scoring of what is converted.
        false_accept_rate: of its threshold.
    """

    model: LocatedModel
    recipe: CompressionRecipe
    budget_is_given: bool
    data: Path | None
    work: Path
    converter: str = DEFAULT_CONVERTER
    micro: bool = True
    check: CheckKind | None = None
    scoring: ScoringKind = "cosine"
    false_accept_rate: float = FALSE_ACCEPT_RATE

    def __post_init__(self) -> None:
        if not 0 < self.false_accept_rate < 1:
            raise UsageError(f"a false-accept rate lies between 0 and 1, got {self.false_accept_rate}")


@dataclass(frozen=True)
class BuildRequest:
    """A package to build.

    Args:
        conversion: what is packaged, and how it comes to be.
        target: what it is built for.
        out: the package's folder.
        limits: on its size.
        code: how generated code is written.
    """

    conversion: ConversionRequest
    target: Target
    out: Path
    limits: Limits = NO_LIMITS
    code: CodeOptions = DEFAULT_CODE

    @property
    def is_net_only(self) -> bool:
        """Whether the model is a .tflite without a front end."""
        return self.conversion.model.kind is ModelKind.TFLITE


def conversion_request(
    model: Path | str,
    *,
    recipe: str = DEFAULT_RECIPE,
    budget: int | None = None,
    data: Path | None = None,
    work: Path | None = None,
    scoring: ScoringKind = "cosine",
    false_accept_rate: float = FALSE_ACCEPT_RATE,
) -> ConversionRequest:
    """Look up what is to be converted.

    Args:
        model: a bundled net's name or a float net's folder.
        recipe: a bundled recipe's name or a file.
        budget: bytes of all weights, for a recipe that chooses widths; None: the recipe's own.
        data: see `ConversionRequest`.
        work: where finished stages are kept; None: the user's cache.
        scoring: the default scoring.
        false_accept_rate: of the threshold.

    Raises:
        UsageError: unknown model or recipe, a budget for a recipe that has none, or an impossible rate.
    """
    parsed = load_recipe(recipe).with_budget(budget)
    return ConversionRequest(
        model=locate(find_net(model)),
        recipe=parsed,
        budget_is_given=budget is not None,
        data=data,
        work=work or default_work_folder(),
        micro=parsed.activation_bits == CONVERTER_BITS,
        scoring=scoring,
        false_accept_rate=false_accept_rate,
    )


def build_request(
    model: Path | str = DEFAULT_MODEL,
    *,
    target: str = DEFAULT_TARGET,
    out: Path | None = None,
    recipe: str | None = None,
    data: Path | None = None,
    work: Path | None = None,
    limits: Limits = NO_LIMITS,
    budget: int | None = None,
    code: CodeOptions = DEFAULT_CODE,
    check: CheckKind | None = None,
) -> BuildRequest:
    """Look up everything that a build is about.

    Args:
        model: a bundled net's name, a float net's or a converted model's folder; for targets with generated code any
            int8 .tflite, too.
        target: a target's name, or the path of a target.toml.
        out: the package's folder; None: `build/<model>-<target>`.
        recipe: a bundled recipe's name or a file; None: what a converted model was made with, else int8.
        data: see `ConversionRequest`.
        work: where finished stages are kept; None: the user's cache.
        limits: the target's own hold as well.
        budget: bytes of all weights, for a recipe that chooses widths; None: the recipe's own.
        code: how generated code is written.
        check: see `CheckKind`; None: the strongest that the installed packages allow.

    Raises:
        UsageError: unknown model, target or recipe, a model that is no net, a budget for a recipe that has none, or
            widths that the target does not hold.
        DataError: the model cannot be read.
    """
    found = load_target(target)
    located = locate(model).require(
        ModelKind.FLOAT_NET,
        ModelKind.ARTIFACT,
        ModelKind.TFLITE,
        hint="give the float net or the converted model that it was built from",
    )
    if located.kind is ModelKind.TFLITE:
        _refuse_speech_options(located, {"--recipe": recipe, "--data": data, "--budget": budget, "--check": check})
    parsed = (load_recipe(recipe) if recipe else own_recipe(located)).with_budget(budget)
    check_widths(parsed, found)
    # On a phone 16-bit activations run without TensorFlow Lite Micro, which lacks operators on int16.
    micro = find_kind(found.package).runs_in_tflm or parsed.activation_bits == CONVERTER_BITS
    return BuildRequest(
        conversion=ConversionRequest(
            model=located,
            recipe=parsed,
            budget_is_given=budget is not None,
            data=data,
            work=work or default_work_folder(),
            converter=found.converter,
            micro=micro,
            check=check,
        ),
        target=found,
        out=out or Path("build") / f"{located.name}-{found.name}",
        limits=limits,
        code=code,
    )


def _refuse_speech_options(model: LocatedModel, options: Mapping[str, object]) -> None:
    """Refuse options that a net without a front end has no use for, rather than ignore them."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            f"{model.argument} is {model.kind.value}: it is compiled as it is, so {', '.join(given)} cannot be kept",
            hint=f"leave out {' and '.join(given)}, or build from a float net",
        )


def own_recipe(model: LocatedModel) -> CompressionRecipe:
    """Return the recipe that a converted model was made with; for all others int8 by the converter.

    Raises:
        DataError: the converted model is damaged.
    """
    if model.kind is not ModelKind.ARTIFACT:
        return load_recipe(DEFAULT_RECIPE)
    artifact = load_artifact(model.path)
    stated = artifact.provenance.compression
    return parse_recipe(stated, source=str(model.path)) if stated else load_recipe(artifact.recipe)
