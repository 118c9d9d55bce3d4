"""The dev trial lists that pick the best epoch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tf_keras

from edge_sv.audio.noisy_copy import NoisyCopy
from edge_sv.audio.recording import join, read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule, mean_embedding
from edge_sv.scoring.metrics import eer
from edge_sv.scoring.trials import Recordings, TrialList, find_recordings, read_trials
from edge_sv.system.array_types import Float32


@dataclass(frozen=True)
class DevList:
    """A trial list, where its recordings are, and what it is called in the history."""

    name: str
    trials: TrialList
    recordings: Recordings


def read_dev_lists(paths: Sequence[Path]) -> list[DevList]:
    """Read trial lists and find their recordings.

    Args:
        paths: lists whose ids are paths below the list's folder or ids of an utterances.csv there.

    Raises:
        DataError: a list cannot be read, or recordings are missing.
    """
    folders = [path.parent for path in paths]
    lists = []
    for path in paths:
        trials = read_trials(path)
        utterances = path.parent / "utterances.csv"
        found = find_recordings(trials, path.parent, utterances=utterances if utterances.is_file() else None)
        corpus, alone = path.parent.resolve().name, folders.count(path.parent) == 1
        lists.append(DevList(corpus if alone else f"{corpus}_{path.stem}", trials, found))
    return lists


class Validation:
    """Segments of all dev recordings, computed once.

    Args:
        lists: the dev lists.
        features: the front end.
        rule: how recordings are cut.
        noise: what every list is heard in once more, as `<name>_noisy`.

    Raises:
        DataError: a recording cannot be used.
    """

    def __init__(
        self, lists: Sequence[DevList], features: FeatureConfig, rule: SegmentRule, *, noise: NoisyCopy | None = None
    ) -> None:
        self._lists: list[tuple[str, TrialList, dict[str, slice]]] = []
        cuts: list[Float32] = []
        position = 0
        for dev, degradation in itertools.product(lists, (None, noise) if noise else (None,)):
            places = {}
            for name, files in dev.recordings.files.items():
                cuts.append(_cut(name, files, degradation, features, rule))
                places[name] = slice(position, position + len(cuts[-1]))
                position += len(cuts[-1])
            self._lists.append((f"{dev.name}_noisy" if degradation else dev.name, dev.trials, places))
        self._segments = np.concatenate(cuts)[..., None] if cuts else np.zeros((0, rule.frames, features.num_mels, 1))

    def eers(self, model: tf_keras.Model) -> dict[str, float]:
        """Return the EER of each list by its name, a fraction; nothing without lists."""
        if not self._lists:
            return {}
        outputs = np.asarray(model.predict(self._segments, batch_size=64, verbose=0), np.float32)
        result = {}
        for name, trials, places in self._lists:
            vectors = {key: mean_embedding(outputs[place]) for key, place in places.items()}
            scores = np.array([vectors[t.enroll] @ vectors[t.test] for t in trials])
            result[name] = eer(scores, trials.labels)
        return result


def _cut(
    name: str, files: Sequence[Path], noise: NoisyCopy | None, features: FeatureConfig, rule: SegmentRule
) -> Float32:
    """Cut the recording that these files make into (num_segments, frames, num_mels)."""
    pcm = join([read_recording(file, sample_rate=features.sample_rate) for file in files])
    if noise is not None:
        pcm = noise.apply(name, pcm, sample_rate=features.sample_rate)
    try:
        return rule.cut(compute_features(pcm, features))
    except DataError as error:
        raise DataError(f"{files[0]}: {error.message}", hint="take it off the trial list") from error
