"""What a training run is, read from TOML; unknown keys are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sv.errors import DataError, UsageError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetSection(_Section):
    """Which net, and where its first weights come from.

    `init`: `random`; `reference`: the pretrained reference net; or the name of a bundled net or the folder of a float net, which
    may be wider.
    """

    family: str = "resnet"
    config: dict[str, Any] = Field(default_factory=dict)
    init: str = "random"


class SegmentSection(_Section):
    """Frames the net takes, and the hop between segments of a longer recording."""

    frames: int = 200
    hop_frames: int = 100


class AugmentSection(_Section):
    """How recordings are varied.

    Each recording is kept clean and in `copies` degraded forms, at every speed; a changed speed is a new speaker.
    """

    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)
    copies: int = Field(2, ge=0)
    clean_share: float = Field(0.3, ge=0, le=1)
    noise: str | None = None
    snr_db: tuple[float, float] = (0.0, 20.0)
    noise_share: float = Field(0.8, ge=0, le=1)
    reverb_share: float = Field(0.5, ge=0, le=1)
    gain_db: float = Field(6.0, ge=0)
    time_masks: int = 1
    time_width: int = 20
    mel_masks: int = 1
    mel_width: int = 8


class LossSection(_Section):
    """AAM-softmax (its margin grows over `margin_epochs`) and distillation from `teachers`.

    A teacher is `reference` or a float net's folder; several are concatenated.
    """

    aam_weight: float = Field(1.0, ge=0)
    scale: float = 30.0
    margin: float = 0.2
    margin_epochs: int = 0
    teachers: tuple[str, ...] = ()
    teacher_weight: float = Field(0.0, ge=0)
    teacher_projection: bool = True


class OptimizerSection(_Section):
    """AdamW with linear warm-up and a cosine to zero; the net that is kept is an exponential average of the steps."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 64
    epochs: int = 20
    steps_per_epoch: int = 300
    warmup_steps: int = 200
    ema_decay: float = Field(0.998, ge=0, lt=1)
    patience: int = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    threads: int = 1


class ValidationSection(_Section):
    """Trial lists, below the corpus' folder, whose pooled EER picks the best epoch."""

    trials: tuple[str, ...] = ()


class TrainConfig(_Section):
    """One training run."""

    name: str
    seed: int = 1
    corpus_weights: dict[str, float] = Field(default_factory=dict)
    reference: str | None = None
    net: NetSection = NetSection()
    features: dict[str, Any] = Field(default_factory=dict)
    segments: SegmentSection = SegmentSection()
    augment: AugmentSection = AugmentSection()
    loss: LossSection = LossSection()
    optimizer: OptimizerSection = OptimizerSection()
    validation: ValidationSection = ValidationSection()


def read_config(path: Path) -> TrainConfig:
    """Read a training configuration.

    Raises:
        DataError: not readable as TOML.
        UsageError: an unknown key or an impossible value, with its place.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"cannot read {path}", details={"got": str(error)}) from error
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        rows = {".".join(map(str, e["loc"])) or "file": f"{e['msg']} (got {e['input']!r})" for e in error.errors()}
        raise UsageError(f"{path} is not a training configuration", details=rows) from error
