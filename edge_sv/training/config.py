"""What a training run is, read from TOML; unknown keys are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge_sv.errors import DataError, EdgeSvError, UsageError, reason_of
from edge_sv.frontend.features import FeatureConfig
from edge_sv.recipes.reading import load_recipe, parse_recipe
from edge_sv.recipes.recipe import CompressionRecipe
from edge_sv.system.files import read_text
from edge_sv.system.validation import explain_validation_error

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetSection(_Section):
    """Which net, and where its first weights come from.

    `init`: `random`; `reference`: the pretrained reference net; or the name of a bundled net or the folder of a float
    net, which may be wider.
    """

    family: str = "resnet"
    config: dict[str, Any] = Field(default_factory=dict)
    init: str = "random"


class SegmentSection(_Section):
    """Frames the net takes, and the hop between segments of a longer recording."""

    frames: Positive = 200
    hop_frames: Positive = 100


class AugmentSection(_Section):
    """How recordings are varied.

    Each recording is kept clean and in `copies` degraded forms, at every speed; a changed speed is a new speaker.
    `channel_db`: standard deviation, in dB, of the random gain and frequency response that every crop gets, clean ones
    too: a corpus with one session a speaker teaches the microphone otherwise.
    """

    speeds: Annotated[tuple[Annotated[float, Field(ge=0.5, le=2)], ...], Field(min_length=1)] = (0.9, 1.0, 1.1)
    copies: Count = 2
    clean_share: Share = 0.3
    noise: str | None = None
    snr_db: tuple[float, float] = (0.0, 20.0)
    noise_share: Share = 0.8
    reverb_share: Share = 0.5
    gain_db: NotNegative = 6.0
    channel_db: NotNegative = 0.0
    time_masks: Count = 1
    time_width: Count = 20
    mel_masks: Count = 1
    mel_width: Count = 8

    @field_validator("snr_db")
    @classmethod
    def _ordered(cls, snr_db: tuple[float, float]) -> tuple[float, float]:
        if not snr_db[0] <= snr_db[1]:
            raise ValueError("the lower end comes first")
        return snr_db


class LossSection(_Section):
    """AAM-softmax (its margin grows over `margin_epochs`) and distillation from `teachers`.

    A teacher is `reference`, the name of a bundled net or a float net's folder; several are concatenated. What is
    learned from them: `teacher_weight`, embeddings of the whole clean recordings; `crop_weight`, embeddings of the very
    crops; `frame_weight`, the crops' frame-level maps; the latter two from float nets with the same front end.
    `teacher_projection`: map the net's outputs to the teachers' by learned weights even where the sizes agree.
    """

    aam_weight: NotNegative = 1.0
    scale: Annotated[float, Field(gt=0)] = 30.0
    margin: NotNegative = 0.2
    margin_epochs: Count = 0
    teachers: tuple[str, ...] = ()
    teacher_weight: NotNegative = 0.0
    crop_weight: NotNegative = 0.0
    frame_weight: NotNegative = 0.0
    teacher_projection: bool = True

    @property
    def hears_crops(self) -> bool:
        """Whether the teachers hear every crop."""
        return bool(self.teachers and (self.crop_weight or self.frame_weight))

    @model_validator(mode="after")
    def _has_a_goal(self) -> Self:
        weights = self.teacher_weight, self.crop_weight, self.frame_weight
        if self.teachers and not any(weights):
            raise ValueError("teachers are named, but teacher_weight is 0, and so are crop_weight and frame_weight")
        if any(weights) and not self.teachers:
            raise ValueError("something is to be learned from teachers, but none are named")
        if not self.aam_weight and not self.teachers:
            raise ValueError("nothing to learn: aam_weight is 0, and there are no teachers")
        return self


class OptimizerSection(_Section):
    """AdamW with linear warm-up and a cosine to zero; the net that is kept is an exponential average of the steps.

    `patience`: epochs without a better dev EER after which training ends; 0: never. `threads`: of TensorFlow; 0: one
    for every core.
    """

    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    weight_decay: NotNegative = 0.0
    batch_size: Positive = 64
    epochs: Positive = 20
    steps_per_epoch: Positive = 300
    warmup_steps: Count = 200
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    patience: Count = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    threads: Count = 1


class ValidationSection(_Section):
    """Trial lists, below the corpus' folder, whose mean EER picks the best epoch; without any the lowest loss does.

    `noisy`: every list counts twice, as it is and in the noise of `augment` at 5 to 15 dB.
    """

    trials: tuple[str, ...] = ()
    noisy: bool = False


class TrainConfig(_Section):
    """One training run.

    `corpus_weights`: share of each corpus in the training crops; without it, speakers are equal. `reference`: the
    reference net's weights.npz, below the corpus' folder. `features`: fields of `FeatureConfig`. `recipe`: compression
    that the net is trained under, a bundled one, a file or a table; `init` is then the net that is compressed.
    `budget`: bytes of all weights, for a recipe that chooses widths, in place of its own. `average`: nets that the kept
    net is averaged with, weight by weight, and their shares, the run's own net has the rest; a net is `start` (the
    run's own first values), the name of a bundled net or the folder of a float net.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1
    corpus_weights: dict[str, NotNegative] = Field(default_factory=dict)
    reference: str | None = None
    recipe: str | dict[str, Any] | None = None
    budget: Positive | None = None
    average: dict[str, Share] = Field(default_factory=dict)
    net: NetSection = NetSection()
    features: dict[str, Any] = Field(default_factory=dict)
    segments: SegmentSection = SegmentSection()
    augment: AugmentSection = AugmentSection()
    loss: LossSection = LossSection()
    optimizer: OptimizerSection = OptimizerSection()
    validation: ValidationSection = ValidationSection()

    @property
    def compression(self) -> CompressionRecipe | None:
        """Return the recipe that the net is trained under, with the budget in place of its own; None: uncompressed.

        Raises:
            UsageError: there is no such recipe, or it has no budget.
        """
        if self.recipe is None:
            return None
        if isinstance(self.recipe, str):
            return load_recipe(self.recipe).with_budget(self.budget)
        return parse_recipe(self.recipe, source=f"the recipe of '{self.name}'").with_budget(self.budget)

    @property
    def front_end(self) -> FeatureConfig:
        """Return the front end that `features` describes."""
        return FeatureConfig.from_dict(self.features)

    @field_validator("features")
    @classmethod
    def _possible(cls, features: dict[str, Any]) -> dict[str, Any]:
        try:
            FeatureConfig.from_dict(features)
        except EdgeSvError as error:
            raise ValueError(error.details["got"] if isinstance(error, DataError) else error.message) from error
        return features

    @field_validator("corpus_weights")
    @classmethod
    def _some_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights and not any(weights.values()):
            raise ValueError("at least one corpus needs a weight above 0")
        return weights

    @model_validator(mode="after")
    def _has_noise(self) -> Self:
        if self.validation.noisy and not self.augment.noise:
            raise ValueError("validation.noisy needs the noise of [augment]")
        return self

    @field_validator("average")
    @classmethod
    def _leaves_a_share(cls, average: dict[str, float]) -> dict[str, float]:
        if sum(average.values()) >= 1:
            raise ValueError("the shares of other nets must leave one for the run's own")
        return average


def read_config(path: Path) -> TrainConfig:
    """Read a training configuration.

    Raises:
        DataError: not readable as TOML.
        UsageError: an unknown key or an impossible value, with its place.
    """
    try:
        values = tomllib.loads(read_text(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{path} is not a training configuration", details=explain_validation_error(error)) from error
