"""The dev trial lists that pick the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tf_keras

from edge_sv.audio import join, read_recording
from edge_sv.features import FeatureConfig, Float32, compute_features
from edge_sv.metrics import eer
from edge_sv.segments import SegmentRule, normalize_length
from edge_sv.trials import TrialList, find_recordings, read_trials


class Validation:
    """Segments of all dev recordings, computed once.

    Args:
        lists: trial lists; ids are paths below the list's folder or ids of an utterances.csv there.
        features: the front end.
        rule: how recordings are cut.
    """

    def __init__(self, lists: Sequence[Path], features: FeatureConfig, rule: SegmentRule) -> None:
        self._lists: list[tuple[str, TrialList, dict[str, slice]]] = []
        cuts: list[Float32] = []
        position = 0
        for path in lists:
            trials = read_trials(path)
            utterances = path.parent / "utterances.csv"
            found = find_recordings(trials, path.parent, utterances=utterances if utterances.is_file() else None)
            places = {}
            for name, files in found.files.items():
                pcm = join([read_recording(file, sample_rate=features.sample_rate) for file in files])
                cuts.append(rule.cut(compute_features(pcm, features)))
                places[name] = slice(position, position + len(cuts[-1]))
                position += len(cuts[-1])
            self._lists.append((path.parent.name, trials, places))
        self._segments = np.concatenate(cuts)[..., None] if cuts else np.zeros((0, rule.frames, features.num_mels, 1))

    def eers(self, model: tf_keras.Model) -> dict[str, float]:
        """Return the EER of each list, a fraction."""
        if not self._lists:
            return {}
        outputs = normalize_length(np.asarray(model.predict(self._segments, batch_size=64, verbose=0), np.float32))
        result = {}
        for name, trials, places in self._lists:
            vectors = {key: normalize_length(outputs[place].mean(axis=0)) for key, place in places.items()}
            scores = np.array([vectors[t.enroll] @ vectors[t.test] for t in trials])
            result[name] = eer(scores, trials.labels)
        return result
