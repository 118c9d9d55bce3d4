"""What a run reads, looked at before anything is computed, so that a mistake shows in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_sv.errors import UsageError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.training.average import START
from edge_sv.training.batches import corpus_shares
from edge_sv.training.config import TrainConfig
from edge_sv.training.corpus import NoiseFiles, Utterance, read_corpus, read_noise
from edge_sv.training.crop_teachers import common_front_end
from edge_sv.training.teacher import Teacher
from edge_sv.training.validation import DevList, read_dev_lists


@dataclass(frozen=True)
class Inputs:
    """The places a run reads from.

    Args:
        data: an index.csv or a folder of speakers; noise and trial lists are named below its folder.
        reference: the reference net's weights.npz, when the configuration names it.
        open_teacher: opens a teacher by its name in the configuration.
        find_net: name in the configuration -> folder of the float net.
        cache: where feature banks and teacher embeddings are kept between runs.
        jobs: processes for features.
    """

    data: Path
    reference: Path | None
    open_teacher: Callable[[str], Teacher]
    find_net: Callable[[str], Path]
    cache: Path
    jobs: int = 1

    @property
    def root(self) -> Path:
        """Folder that noise and trial lists are named below."""
        return self.data if self.data.is_dir() else self.data.parent


@dataclass(frozen=True)
class Material:
    """The recordings and lists of a run, found but not read, and the front end under which they are heard."""

    features: FeatureConfig
    utterances: tuple[Utterance, ...]
    noise: NoiseFiles
    dev_lists: list[DevList]


def find_material(config: TrainConfig, inputs: Inputs) -> Material:
    """Find everything that the configuration names.

    Raises:
        DataError: recordings or lists are missing.
        UsageError: the configuration names a corpus, noise or a net that is not there.
    """
    if config.loss.hears_crops and "reference" in config.loss.teachers:
        raise UsageError(
            f"the configuration '{config.name}' has the reference net teach crops or frames, which float nets alone do",
            hint="set crop_weight and frame_weight to 0",
        )
    if "reference" in (config.net.init, *config.loss.teachers) and inputs.reference is None:
        raise UsageError(
            f"the configuration '{config.name}' uses the reference net", hint="give --reference path/to/weights.npz"
        )
    named = {config.net.init, *config.loss.teachers} - {"random", "reference"}
    for name in named | config.average.keys() - {START}:
        inputs.find_net(name)
    hearing = [(name, inputs.find_net(name)) for name in config.loss.teachers if config.loss.hears_crops]
    features = common_front_end(config.front_end, hearing)
    utterances = read_corpus(inputs.data)
    corpus_shares(utterances, config.corpus_weights)
    return Material(
        features,
        utterances,
        read_noise(inputs.root / config.augment.noise) if config.augment.noise else NoiseFiles(),
        read_dev_lists([inputs.root / name for name in config.validation.trials]),
    )
