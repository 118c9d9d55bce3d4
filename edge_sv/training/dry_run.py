"""What a run is going to do, without doing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import soundfile

from edge_sv.errors import DataError, reason_of
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import NetDescription, build_net, net_config
from edge_sv.models.profile import profile_model
from edge_sv.training.batches import corpus_shares
from edge_sv.training.config import TrainConfig
from edge_sv.training.inputs import Inputs, find_material


@dataclass(frozen=True)
class DryRun:
    """A run in numbers.

    Args:
        recordings: for training.
        hours: of them, as they are.
        speakers: who made them.
        shares: corpus -> share of the crops.
        classes: speakers times speeds.
        noises: recordings of noise.
        rooms: room responses.
        dev_trials: dev list -> trials.
        steps: in all epochs.
        heard_hours: of crops in all steps.
        parameters: of the net.
        macs: of the net, for one segment.
    """

    recordings: int
    hours: float
    speakers: int
    shares: dict[str, float]
    classes: int
    noises: int
    rooms: int
    dev_trials: dict[str, int]
    steps: int
    heard_hours: float
    parameters: int
    macs: int


def describe_run(config: TrainConfig, inputs: Inputs) -> DryRun:
    """Find a run's data and build its net, no more.

    Raises:
        UsageError: the configuration names what is not there, or an impossible net.
        DataError: data is missing or not audio.
    """
    material = find_material(config, inputs)
    shape, rule = net_config(config.net.family, config.net.config), SegmentRule(config.segments.frames)
    description = NetDescription(config.name, config.net.family, shape, config.front_end, rule)
    layers = profile_model(build_net(description))
    speakers = len({u.speaker for u in material.utterances})
    steps = config.optimizer.epochs * config.optimizer.steps_per_epoch
    crop_seconds = config.segments.frames * config.front_end.hop_ms / 1000
    return DryRun(
        recordings=len(material.utterances),
        hours=sum(_seconds(u.path) for u in material.utterances) / 3600,
        speakers=speakers,
        shares=corpus_shares(material.utterances, config.corpus_weights),
        classes=speakers * len(config.augment.speeds),
        noises=len(material.noise.noises),
        rooms=len(material.noise.rooms),
        dev_trials={dev.name: len(dev.trials) for dev in material.dev_lists},
        steps=steps,
        heard_hours=steps * config.optimizer.batch_size * crop_seconds / 3600,
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
    )


def _seconds(path: Path) -> float:
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    return float(info.frames / info.samplerate)
