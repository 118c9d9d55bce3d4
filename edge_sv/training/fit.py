"""One training run from configuration to float net; killed at any moment it goes on with the same result."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.audio.noisy_copy import NoisyCopy
from edge_sv.compress.method import Extras, TrainableMethod, Uncompressed, save_compressed
from edge_sv.compress.methods import choose_method
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import NetDescription, build_net, load_net, net_config
from edge_sv.models.family import NetConfig
from edge_sv.models.reference import build_reference
from edge_sv.system.array_types import Float32
from edge_sv.system.files import write_atomic
from edge_sv.system.npz import read_arrays
from edge_sv.training.average import START, Average, make_average
from edge_sv.training.bank import FeatureBank, Progress, open_bank
from edge_sv.training.batches import BatchMaker, prefetch
from edge_sv.training.bit_widths import find_bit_allocation
from edge_sv.training.config import TrainConfig
from edge_sv.training.crop_teachers import CropTeachers, load_crop_teachers
from edge_sv.training.history import Row, best_row, is_over, to_csv
from edge_sv.training.initialize import first_crops, start_from, start_heads
from edge_sv.training.inputs import Inputs, Material, find_material
from edge_sv.training.teacher import teacher_targets
from edge_sv.training.trainer import Trainer
from edge_sv.training.validation import Validation

STATE_FILE = "state.npz"
DEV_SNR_DB = (5.0, 15.0)
DEV_REVERB_SHARE = 0.5
OnEpoch = Callable[[Row, bool], None]
"""Called after every epoch with its row, and whether it is the best so far."""


def train(config: TrainConfig, inputs: Inputs, out: Path, *, progress: Progress, on_epoch: OnEpoch) -> NetDescription:
    """Train a net; the best epoch's float net is in `out`, beside `history.csv`, TensorBoard logs and the run's state.

    Args:
        config: the run.
        inputs: its data.
        out: the run's folder; when it holds this run's state, training goes on from there.
        progress: called for every recording, teacher embedding and step.
        on_epoch: called for every epoch.

    Raises:
        UsageError: `out` holds another configuration's run, the configuration names what is not there, or training
            diverges.
        DataError: data that cannot be read, or a folder that cannot be written.
    """
    shape = net_config(config.net.family, config.net.config)
    _set_threads(config.optimizer.threads)
    material = find_material(config, inputs)
    form = _choose_method(config, inputs, shape, progress)
    _claim(out, config)
    teachers = [inputs.open_teacher(name) for name in config.loss.teachers if config.loss.teacher_weight]
    tf_keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    bank = _open_bank(config, material, inputs, progress)
    targets = teacher_targets(teachers, bank.utterances, bank.speeds, cache=inputs.cache, progress=progress)
    description = _describe(config, material, shape, bank)
    maker = _make_batches(config, description, bank, targets)
    trainer = _make_trainer(config, inputs, description, maker, form)
    validation = _make_validation(config, material, description)
    has_begun = (out / STATE_FILE).is_file()
    if not has_begun or START in config.average:
        _give_first_values(config, inputs, trainer, maker)
    average = _make_average(config, inputs, trainer)
    history = _parse_history(trainer.load(out / STATE_FILE)) if has_begun else []
    run = _Run(config, description, trainer, maker, validation, average, form, out)
    return run.finish(history, progress=progress, on_epoch=on_epoch)


def read_history(out: Path) -> list[Row]:
    """Return the epochs that a run's folder has behind it; none when there is no state.

    Raises:
        DataError: the state is damaged.
    """
    path = out / STATE_FILE
    return _parse_history(bytes(read_arrays(path)["notes"].tobytes())) if path.is_file() else []


def _parse_history(notes: bytes) -> list[Row]:
    rows: list[Row] = json.loads(notes)
    return rows


def _claim(out: Path, config: TrainConfig) -> None:
    """Write the configuration into the run's folder, unless a net is there that is not this run's."""
    recipe = {"recipe": config.compression.to_dict()} if config.compression else {}
    text = json.dumps({**config.model_dump(mode="json"), **recipe}, indent=2).encode()
    mark = out / "config.json"
    taken = (out / STATE_FILE).is_file() or (out / "net.json").is_file()
    if taken and not (mark.is_file() and mark.read_bytes() == text):
        raise UsageError(f"{out} holds the net of another configuration", hint="choose another --out, or remove it")
    write_atomic(mark, text)


def _set_threads(count: int) -> None:
    """Set TensorFlow's threads; their number shows in the last digits of every result."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow has already started in this process, with its own number


def _open_bank(config: TrainConfig, material: Material, inputs: Inputs, progress: Progress) -> FeatureBank:
    return open_bank(
        material.utterances,
        material.features,
        config.augment,
        noise=material.noise,
        seed=config.seed,
        cache=inputs.cache,
        jobs=inputs.jobs,
        progress=progress,
    )


def _describe(config: TrainConfig, material: Material, shape: NetConfig, bank: FeatureBank) -> NetDescription:
    features = material.features
    if features.normalization != "utterance_mean" and not features.mean_start:
        features = replace(features, mean_start=tuple(round(float(v), 4) for v in bank.mean))
    return NetDescription(
        name=config.name,
        family=config.net.family,
        config=shape,
        features=features,
        segments=SegmentRule(config.segments.frames, config.segments.hop_frames),
        provenance={"training": json.loads(config.model_dump_json())},
    )


def _make_batches(config: TrainConfig, description: NetDescription, bank: FeatureBank, targets: Float32) -> BatchMaker:
    return BatchMaker(
        bank,
        description.features,
        frames=config.segments.frames,
        augment=config.augment,
        corpus_weights=config.corpus_weights,
        targets=targets,
        seed=config.seed,
    )


def _choose_method(config: TrainConfig, inputs: Inputs, shape: NetConfig, progress: Progress) -> TrainableMethod:
    """Make the form in which the net trains: under the configuration's recipe, from the weights training starts from.

    Raises:
        UsageError: no such net, not the net that is configured, or the recipe does not fit it.
    """
    recipe = config.compression
    if recipe is None:
        return Uncompressed()
    if config.net.init in ("random", "reference"):
        raise UsageError(
            f"the configuration '{config.name}' compresses a net and names none",
            hint="set init in [net] to a bundled net or the folder of a float net",
        )
    net = inputs.find_net(config.net.init)
    model, description = load_net(net)
    wanted, got = (description.config, description.features.num_mels), (shape, config.front_end.num_mels)
    if got != wanted:
        raise UsageError(
            f"the configuration '{config.name}' compresses '{config.net.init}', which has another shape",
            details={"got": f"{got[0]}, {got[1]} mels", "wanted": f"{wanted[0]}, {wanted[1]} mels"},
        )
    widths = None
    if recipe.mixed is not None:
        widths = find_bit_allocation(net, recipe, data=inputs.data, cache=inputs.cache, progress=progress)
    return choose_method(model, recipe, widths=widths, epochs=config.optimizer.epochs)


def _make_trainer(
    config: TrainConfig, inputs: Inputs, description: NetDescription, maker: BatchMaker, form: TrainableMethod
) -> Trainer:
    """Make the trainer; a net under compression has its first weights already."""
    with _precision(config.optimizer.precision):
        if config.recipe:
            model, _ = load_net(inputs.find_net(config.net.init), frames=config.segments.frames)
        else:
            model = build_net(description)
        model = form.trainable(model, functools.partial(first_crops, maker))
    return Trainer(
        model,
        num_classes=maker.num_classes,
        target_dim=maker.target_dim,
        loss=config.loss,
        optimizer=config.optimizer,
        teachers=_crop_teachers(config, inputs, maker) if config.loss.hears_crops else None,
    )


def _crop_teachers(config: TrainConfig, inputs: Inputs, maker: BatchMaker) -> CropTeachers:
    """Read the teachers that hear crops; a net that learns to be another one has that one's centre as well."""
    folders = [inputs.find_net(name) for name in config.loss.teachers]
    teachers = load_crop_teachers(folders, frames=config.segments.frames)
    is_itself = config.recipe is not None and folders == [inputs.find_net(config.net.init)]
    return teachers if is_itself else teachers.centred(first_crops(maker))


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def _make_validation(config: TrainConfig, material: Material, description: NetDescription) -> Validation:
    noise = None
    if config.validation.noisy:
        share = DEV_REVERB_SHARE if material.noise.rooms else 0.0
        noise = NoisyCopy(material.noise.noises, material.noise.rooms, snr_db=DEV_SNR_DB, reverb_share=share)
    return Validation(material.dev_lists, description.features, description.segments, noise=noise)


def _give_first_values(config: TrainConfig, inputs: Inputs, trainer: Trainer, maker: BatchMaker) -> None:
    frames = config.segments.frames
    if config.recipe:
        start_heads(trainer, maker)
    elif config.net.init == "random":
        trainer.start_averages()
    elif config.net.init == "reference":
        assert inputs.reference is not None, "find_material asks for it"
        start_from(build_reference(inputs.reference, frames=frames), trainer, maker)
    else:
        start_from(load_net(inputs.find_net(config.net.init), frames=frames)[0], trainer, maker)


def _make_average(config: TrainConfig, inputs: Inputs, trainer: Trainer) -> Average:
    others = [name for name in config.average if name != START]
    nets = {name: load_net(inputs.find_net(name), frames=config.segments.frames)[0].get_weights() for name in others}
    return make_average(trainer.model, config.average, {START: trainer.averaged_weights(), **nets})


@dataclass(frozen=True)
class _Run:
    """A run that has its data and its first values."""

    config: TrainConfig
    description: NetDescription
    trainer: Trainer
    maker: BatchMaker
    validation: Validation
    average: Average
    form: TrainableMethod
    out: Path

    def finish(self, history: list[Row], *, progress: Progress, on_epoch: OnEpoch) -> NetDescription:
        """Do the epochs that are left; returns the best epoch's description."""
        optimizer = self.config.optimizer
        net = build_net(self.description)
        board = tf.summary.create_file_writer(str(self.out / "tensorboard"))
        while len(history) < optimizer.epochs and not is_over(history, optimizer.patience):
            row = self._epoch(len(history), progress)
            extras = self.form.finish(net, self.average.of(self.trainer.averaged_weights()))
            history.append({**row, **self._errors(net), **extras.figures})
            is_best = best_row(history) is history[-1]
            self._keep(net, extras, history, is_best=is_best)
            self._log(board, history[-1])
            on_epoch(history[-1], is_best)
        write_atomic(self.out / "history.csv", to_csv(history))
        return self._describe(best_row(history))

    def _epoch(self, epoch: int, progress: Progress) -> Row:
        """Train one epoch, counted from 0; returns the means of the losses."""
        optimizer = self.config.optimizer
        if self.form.begin_epoch(epoch):
            self.trainer.compile()
        steps = range(epoch * optimizer.steps_per_epoch, (epoch + 1) * optimizer.steps_per_epoch)
        losses = []
        with closing(prefetch(self.maker, steps, optimizer.batch_size)) as batches:
            for batch in batches:
                losses.append(self.trainer.train(batch))
                progress(self.trainer.step, optimizer.epochs * optimizer.steps_per_epoch, f"epoch {epoch + 1}")
        row = {name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}
        if not np.isfinite(row["loss"]):
            raise UsageError(
                f"training diverged in epoch {epoch + 1}: the loss is {row['loss']}",
                hint="lower [optimizer] learning_rate",
            )
        return {"epoch": epoch + 1, **row}

    def _errors(self, net: tf_keras.Model) -> Row:
        eers = self.validation.eers(net)
        row = {f"dev_eer_{name}": value for name, value in eers.items()}
        return row | ({"dev_eer": float(np.mean(list(eers.values())))} if eers else {})

    def _keep(self, net: tf_keras.Model, extras: Extras, history: list[Row], *, is_best: bool) -> None:
        """Write what is needed to go on; a kill between two files repeats the epoch with the same result."""
        if is_best:
            save_compressed(self.out, self._describe(history[-1]), net, extras)
        self.trainer.save(self.out / STATE_FILE, notes=json.dumps(history).encode())
        write_atomic(self.out / "history.csv", to_csv(history))

    def _log(self, board: tf.summary.SummaryWriter, row: Row) -> None:
        try:
            with board.as_default():
                for name in row.keys() - {"epoch"}:
                    tf.summary.scalar(name, row[name], step=int(row["epoch"]))
            board.flush()
        except tf.errors.OpError as error:
            raise DataError(f"cannot write {self.out / 'tensorboard'}", details={"got": error.message}) from error

    def _describe(self, row: Row) -> NetDescription:
        losses_and_errors = {name: value for name, value in row.items() if name != "epoch"}
        provenance = {**self.description.provenance, "epoch": int(row["epoch"]), "dev": losses_and_errors}
        return replace(self.description, provenance=provenance)
