"""Compress a float net by a recipe: its own training once more, short, with rounded weights and itself as teacher."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sv.compress.method import save_compressed
from edge_sv.compress.methods import choose_method
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import NetDescription, load_description, load_net, save_description
from edge_sv.recipes.recipe import FLOAT, CompressionRecipe, FineTuning
from edge_sv.system.array_types import Float32
from edge_sv.training.bank import Progress
from edge_sv.training.bit_widths import find_bit_allocation
from edge_sv.training.config import TrainConfig
from edge_sv.training.fit import train
from edge_sv.training.inputs import Inputs
from edge_sv.training.teacher import Teacher

MARGIN = 0.2
EMA_DECAY = 0.98
WARMUP_STEPS = 30
CLEAN_SHARE = 0.5
"""Clean crops, at most: what the float net knows of noise has to survive, even where it was last trained without."""


def compress_net(
    net: Path,
    recipe: CompressionRecipe,
    *,
    data: Path | None,
    out: Path,
    origin: str,
    open_teacher: Callable[[Path], Teacher],
    find_net: Callable[[str], Path],
    cache: Path,
    jobs: int = 1,
    progress: Progress,
) -> None:
    """Write the compressed net into `out`; when the same run was interrupted there, go on with it.

    Args:
        net: the float net's folder.
        recipe: what is done to it.
        data: table of speech files to fine-tune with; not needed by a recipe without fine-tuning.
        out: the compressed net's folder, and the run's.
        origin: identity of the float net, written into the compressed one's provenance as `compressed_from`.
        open_teacher: opens a net's folder as a teacher.
        find_net: name of another teacher than the net itself -> folder of that float net.
        cache: where feature banks, teacher embeddings and sensitivities are kept between runs.
        jobs: processes for features.
        progress: called for every recording, teacher embedding and step.

    Raises:
        UsageError: a rule matches no layer, fine-tuning without data, or a budget that no plan keeps.
        DataError: the net or the data cannot be used.
    """
    description = load_description(net)
    if recipe.fine_tuning is None or recipe.fine_tuning.epochs == 0:
        model, _ = load_net(net)
        widths = find_bit_allocation(net, recipe, data=data, cache=cache, progress=progress) if recipe.mixed else None
        form = choose_method(model, recipe, widths=widths)
        trained = form.trainable(model, functools.partial(_no_crops, recipe.name)).get_weights()
        save_compressed(out, description, model, form.finish(model, trained))
        _note(out, recipe, origin)
        return
    if data is None:
        raise _needs_speech(recipe.name)

    def find(name: str) -> Path:
        return net if name == description.name else find_net(name)

    inputs = Inputs(
        data=data,
        reference=None,
        open_teacher=lambda name: open_teacher(find(name)),
        find_net=find,
        cache=cache,
        jobs=jobs,
    )
    config = tuning_config(description, recipe, recipe.fine_tuning)
    train(config, inputs, out, progress=progress, on_epoch=lambda _row, _best: None)
    _note(out, recipe, origin)


def tuning_config(description: NetDescription, recipe: CompressionRecipe, tuning: FineTuning) -> TrainConfig:
    """Make the fine-tuning's configuration: the float net's own, where it is recorded, with what the recipe sets.

    Raises:
        UsageError: the net's record of its training cannot be used.
    """
    values = description.to_dict()
    recorded = description.provenance.get("training") or {}
    kept = {key: recorded[key] for key in ("seed", "corpus_weights") if key in recorded}
    augment = dict(recorded.get("augment") or {})
    augment["clean_share"] = min(CLEAN_SHARE, augment.get("clean_share", CLEAN_SHARE))
    steps = tuning.epochs * tuning.steps_per_epoch
    try:
        return TrainConfig.model_validate(
            {
                **kept,
                "name": description.name,
                "recipe": recipe.to_dict(),
                "net": {"family": description.family, "config": values["config"], "init": description.name},
                "features": values["features"],
                "segments": values["segments"],
                "augment": augment,
                "loss": _loss(description.name, tuning),
                "optimizer": {
                    "learning_rate": tuning.learning_rate,
                    "epochs": tuning.epochs,
                    "steps_per_epoch": tuning.steps_per_epoch,
                    "batch_size": tuning.batch_size,
                    "warmup_steps": min(WARMUP_STEPS, steps // 4),
                    "ema_decay": EMA_DECAY,
                },
            }
        )
    except ValueError as error:
        raise UsageError(
            f"the record of how '{description.name}' was trained cannot be used", details={"got": str(error)}
        ) from error


def _loss(net: str, tuning: FineTuning) -> dict[str, Any]:
    """Make the loss section; the net itself teaches by its name, and what it teaches needs no projection."""
    loss: dict[str, Any] = {"margin": MARGIN, "aam_weight": tuning.aam_weight}
    weights = {key: getattr(tuning, key) for key in ("teacher_weight", "crop_weight", "frame_weight")}
    if any(weights.values()):
        loss |= {**weights, "teachers": [net if name == FLOAT else name for name in tuning.teachers]}
        loss["teacher_projection"] = tuning.teachers != (FLOAT,)
    return loss


def _no_crops(recipe: str) -> Float32:
    raise _needs_speech(recipe)


def _needs_speech(recipe: str) -> UsageError:
    return UsageError(
        f"recipe '{recipe}' trains the net under compression, so it needs speech",
        hint="give --data INDEX.csv: a table of speech files with training speakers",
    )


def _note(out: Path, recipe: CompressionRecipe, origin: str) -> None:
    """Write into the net what was done to it."""
    description = load_description(out)
    provenance = {**description.provenance, "compressed_from": origin, "recipe": recipe.to_dict()}
    save_description(out, replace(description, provenance=provenance))
