"""One training run from configuration to float net; killed at any moment it goes on with the same result."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.errors import UsageError
from edge_sv.features import FeatureConfig, Float32
from edge_sv.files import write_atomic
from edge_sv.models.checkpoint import NetDescription, build_net, load_net, read_config, save_net
from edge_sv.models.reference import REFERENCE_CONFIG, build_reference
from edge_sv.resources import assets_dir
from edge_sv.segments import SegmentRule, normalize_length
from edge_sv.training.bank import FeatureBank, Progress, open_bank
from edge_sv.training.batches import BatchMaker, prefetch
from edge_sv.training.config import TrainConfig
from edge_sv.training.corpus import read_corpus
from edge_sv.training.initialize import center_embedding, inherit
from edge_sv.training.teacher import Teacher, teacher_targets
from edge_sv.training.trainer import Trainer
from edge_sv.training.validation import Validation

STATE_FILE = "state.npz"
START_CROPS = 512
BEFORE_TRAINING = 1 << 30
"""Number of the first batch that is looked at before the first step."""


@dataclass(frozen=True)
class Inputs:
    """The places a run reads from.

    Args:
        data: an index.csv or a folder of speakers.
        data_root: folder that noise and trial lists are named below.
        reference: the reference net's weights.npz, when the configuration names it.
        teachers: opened embedders, in the configuration's order.
        cache: where feature banks and teacher embeddings are kept between runs.
        jobs: processes for features.
    """

    data: Path
    data_root: Path
    reference: Path | None
    teachers: Sequence[Teacher]
    cache: Path
    jobs: int = 1


def train(config: TrainConfig, inputs: Inputs, out: Path, *, progress: Progress) -> NetDescription:
    """Train a net; the best epoch's float net is in `out`, beside `history.csv`, TensorBoard logs and the run's state.

    Args:
        config: the run.
        inputs: its data.
        out: the run's folder; when it holds this run's state, training goes on from there.
        progress: told of every recording, teacher embedding and step.

    Raises:
        UsageError: `out` holds another configuration's run.
        DataError: data that cannot be read.
    """
    _claim(out, config)
    _prepare_tensorflow(config)
    bank = _open_bank(config, inputs, progress)
    description = _describe(config, bank)
    targets = teacher_targets(
        inputs.teachers, bank.utterances, bank.speeds, cache=inputs.cache, progress=progress
    )
    maker = BatchMaker(
        bank,
        description.features,
        frames=config.segments.frames,
        augment=config.augment,
        corpus_weights=config.corpus_weights,
        targets=targets,
        seed=config.seed,
    )
    tf_keras.mixed_precision.set_global_policy(config.optimizer.precision)
    model = build_net(description)
    tf_keras.mixed_precision.set_global_policy("float32")
    trainer = Trainer(
        model,
        num_classes=maker.num_classes,
        target_dim=targets.shape[2],
        loss=config.loss,
        optimizer=config.optimizer,
    )
    lists = [inputs.data_root / name for name in config.validation.trials]
    validation = Validation(lists, description.features, description.segments)
    history: list[dict[str, float]] = []
    if (out / STATE_FILE).is_file():
        history = json.loads(trainer.load(out / STATE_FILE))
    else:
        _start(config, inputs, trainer, maker)
    return _epochs(config, description, trainer, maker, validation, history, out, progress)


def _claim(out: Path, config: TrainConfig) -> None:
    """Write the configuration into the run's folder, or see that it is the one that is there."""
    text = config.model_dump_json(indent=2).encode()
    mark = out / "config.json"
    if mark.is_file() and mark.read_bytes() != text:
        raise UsageError(f"{out} holds a run of another configuration", hint="choose another --out, or remove it")
    write_atomic(mark, text)


def _prepare_tensorflow(config: TrainConfig) -> None:
    tf_keras.utils.set_random_seed(config.seed)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(config.optimizer.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow has already started, with its own threads: slower or faster, not different
    tf.config.experimental.enable_op_determinism()


def _open_bank(config: TrainConfig, inputs: Inputs, progress: Progress) -> FeatureBank:
    noise = inputs.data_root / config.augment.noise if config.augment.noise else None
    return open_bank(
        read_corpus(inputs.data),
        FeatureConfig(**config.features),
        config.augment,
        noise=_noise_files(noise) if noise else ((), ()),
        seed=config.seed,
        cache=inputs.cache,
        jobs=inputs.jobs,
        progress=progress,
    )


def _noise_files(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """List noise and room responses: files below `folder`, those that begin with `rir` being rooms."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".flac", ".wav", ".ogg"))
    if not files:
        raise UsageError(f"no noise in {folder}", hint="[augment] noise names a folder of recordings below the data")
    rooms = tuple(path for path in files if path.name.startswith("rir"))
    return tuple(path for path in files if path not in rooms), rooms


def _describe(config: TrainConfig, bank: FeatureBank) -> NetDescription:
    features = FeatureConfig(**config.features)
    if features.normalization != "utterance_mean" and not features.mean_start:
        features = replace(features, mean_start=tuple(round(float(v), 4) for v in bank.mean))
    return NetDescription(
        name=config.name,
        family=config.net.family,
        config=read_config(config.net.family, config.net.config),
        features=features,
        segments=SegmentRule(config.segments.frames, config.segments.hop_frames),
        provenance={"training": json.loads(config.model_dump_json())},
    )


def _start(config: TrainConfig, inputs: Inputs, trainer: Trainer, maker: BatchMaker) -> None:
    """Give net, class vectors and projection their first values."""
    if config.net.init == "random":
        trainer.start_averages()
        return
    first = [maker.make(BEFORE_TRAINING + i, 64, masks=False) for i in range(START_CROPS // 64)]
    crops = np.concatenate([batch.crops for batch in first])
    inherit(trainer.model, _source(config, inputs), crops)
    center_embedding(trainer.model, crops)
    trainer.start_averages()
    embeddings, labels, targets = _embed_classes(trainer.model, maker)
    trainer.fit_projection(embeddings, targets)
    classes = trainer.classes.numpy()
    for label in np.unique(labels):
        classes[label] = normalize_length(embeddings[labels == label]).mean(axis=0)
    trainer.classes.assign(classes)


def _source(config: TrainConfig, inputs: Inputs) -> tf_keras.Model:
    if config.net.init == "reference":
        if inputs.reference is None:
            raise UsageError("the configuration starts from the reference net", hint="give --reference weights.npz")
        return build_reference(inputs.reference, frames=config.segments.frames)
    folder = Path(config.net.init)
    return load_net(folder if folder.is_dir() else assets_dir() / config.net.init)[0]


def _embed_classes(model: tf_keras.Model, maker: BatchMaker) -> tuple[Float32, Any, Float32]:
    """Embed enough unmasked crops to see nearly every class."""
    rounds = max(1, 4 * maker.num_classes // 64)
    batches = [maker.make(BEFORE_TRAINING + i, 64, masks=False) for i in range(rounds)]
    embeddings = [np.asarray(model.predict(b.crops, verbose=0), np.float32) for b in batches]
    return (
        np.concatenate(embeddings),
        np.concatenate([b.labels for b in batches]),
        np.concatenate([b.targets for b in batches]),
    )


def _epochs(
    config: TrainConfig,
    description: NetDescription,
    trainer: Trainer,
    maker: BatchMaker,
    validation: Validation,
    history: list[dict[str, float]],
    out: Path,
    progress: Progress,
) -> NetDescription:
    steps = config.optimizer.steps_per_epoch
    kept = build_net(description)
    board = tf.summary.create_file_writer(str(out / "tensorboard"))
    for epoch in range(len(history), config.optimizer.epochs):
        if _is_over(history, config.optimizer.patience):
            break
        losses: list[dict[str, float]] = []
        span = range(epoch * steps, (epoch + 1) * steps)
        for batch in prefetch(maker, span, config.optimizer.batch_size):
            losses.append(trainer.train(batch))
            progress(trainer.step, config.optimizer.epochs * steps, f"epoch {epoch + 1}")
        kept.set_weights(trainer.averaged_weights())
        eers = validation.eers(kept)
        row = {name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}
        row |= {f"dev_eer_{name}": value for name, value in eers.items()}
        row["dev_eer"] = float(np.mean(list(eers.values()))) if eers else row["loss"]
        history.append({"epoch": epoch + 1, **row})
        if row["dev_eer"] <= min(r["dev_eer"] for r in history):
            provenance = {**description.provenance, "epoch": epoch + 1, "dev": row}
            save_net(out, replace(description, provenance=provenance), kept)
        trainer.save(out / STATE_FILE, notes=json.dumps(history).encode())
        write_atomic(out / "history.csv", _to_csv(history))
        with board.as_default():
            for name, value in row.items():
                tf.summary.scalar(name, value, step=epoch + 1)
        board.flush()
    best = min(history, key=lambda r: (r["dev_eer"], -r["epoch"]))
    return replace(description, provenance={**description.provenance, "epoch": int(best["epoch"]), "dev": best})


def _is_over(history: list[dict[str, float]], patience: int) -> bool:
    if not patience or not history:
        return False
    best = min(range(len(history)), key=lambda i: history[i]["dev_eer"])
    return len(history) - 1 - best >= patience


def _to_csv(history: list[Mapping[str, float]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(history[0]))
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue().encode()
