"""Recordings that a net is run on to see what it does: chosen once, cut into segments in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from edge_sv.audio.recording import join, read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule
from edge_sv.scoring.speech_index import SpeechFile, development_list, read_index
from edge_sv.scoring.trials import TrialList
from edge_sv.system.array_types import Float32
from edge_sv.system.bundled import assets_dir

CHECK_RECORDINGS = 64
"""Recordings that a conversion is checked with when the data has no development list."""
ANALYSIS_RECORDINGS = 16
"""Recordings of a table that an analysis of layers looks at."""
VOICES_SOURCE = "bundled synthetic voices"

Item = TypeVar("Item")


@dataclass(frozen=True)
class SpeechSample:
    """Some recordings.

    Args:
        files: id -> files that are joined to make the recording, in a fixed order.
        trials: development list over those ids, None when there is none.
        source: where they come from, in words.
    """

    files: Mapping[str, tuple[Path, ...]]
    trials: TrialList | None
    source: str

    def evenly(self, count: int) -> SpeechSample:
        """Return at most `count` of the recordings, evenly chosen, without trials."""
        chosen = evenly(list(self.files), count)
        return replace(self, files={name: self.files[name] for name in chosen}, trials=None)

    def segments(self, features: FeatureConfig, rule: SegmentRule) -> Iterator[tuple[str, Float32]]:
        """Yield each recording's id and its segments, (num_segments, frames, num_mels) normalized features.

        Raises:
            DataError: a recording cannot be used.
        """
        for name in self.files:
            yield name, self.segments_of(name, features, rule)

    def segments_of(self, name: str, features: FeatureConfig, rule: SegmentRule) -> Float32:
        """Return one recording's segments, (num_segments, frames, num_mels) normalized features."""
        pcm = join([read_recording(path, sample_rate=features.sample_rate) for path in self.files[name]])
        return rule.cut(compute_features(pcm, features))

    def first_segments(self, features: FeatureConfig, rule: SegmentRule, *, count: int) -> list[Float32]:
        """Cut up to `count` (frames, num_mels) segments: the first of each recording, then the second, and so on.

        Raises:
            DataError: a recording cannot be used, or none gives a segment.
        """
        recordings = [segments for _, segments in self.segments(features, rule)]
        longest = max(map(len, recordings), default=0)
        ordered = [segments[number] for number in range(longest) for segments in recordings if number < len(segments)]
        if not ordered:
            raise DataError(f"no recording to run a net on: {self.source}")
        return ordered[:count]


def evenly(items: Sequence[Item], count: int) -> Sequence[Item]:
    """Return at most `count` items at equal distances, from the first on; none of none."""
    return items[:: max(1, -(-len(items) // count))]


def bundled_voices() -> SpeechSample:
    """Return the bundled synthetic voices, by name.

    Raises:
        DataError: they are not where they belong.
    """
    folder = assets_dir() / "voices"
    paths = sorted(folder.glob("*.flac"))
    if not paths:
        raise DataError("the bundled voices are missing", details={"folder": str(folder)}, hint="install edge-sv again")
    return SpeechSample({path.stem: (path,) for path in paths}, None, VOICES_SOURCE)


def voice_paths() -> dict[str, Path]:
    """Return the bundled synthetic voices for examples, name -> file: `ada_1`, ... of four speakers.

    Raises:
        DataError: they are not where they belong.

    >>> sorted({name.split("_")[0] for name in voice_paths()})
    ['ada', 'bea', 'carl', 'dan']
    """
    return {name: path for name, (path,) in bundled_voices().files.items()}


def held_out_sample(index: Path | None, *, count: int) -> SpeechSample:
    """Choose recordings, evenly, that were not trained on; of a table with none, any.

    Args:
        index: table of speech files; None: the bundled synthetic voices, all of them.
        count: of a table, at most.

    Raises:
        DataError: the table cannot be read.
    """
    return bundled_voices() if index is None else _held_out(index, read_index(index)).evenly(count)


def check_sample(index: Path | None) -> SpeechSample:
    """Choose the recordings that a conversion is checked with.

    Args:
        index: table of speech files; its development lists, else up to 64 files that were not trained on. None: the
            bundled synthetic voices.

    Raises:
        DataError: the table or a list cannot be used.
    """
    if index is None:
        return bundled_voices()
    files = read_index(index)
    development = development_list(index, files)
    if development is not None:
        return SpeechSample(development.files, development.trials, "development lists of the data")
    return replace(_held_out(index, files).evenly(CHECK_RECORDINGS), source="recordings of the data")


def cut_crops(sample: SpeechSample, features: FeatureConfig, rule: SegmentRule, *, count: int) -> Float32:
    """Cut up to `count` segments, evenly chosen of all of a sample: (crops, frames, num_mels, 1) for a Keras net."""
    segments = np.concatenate([each for _, each in sample.segments(features, rule)])
    chosen = np.unique(np.linspace(0, len(segments) - 1, count).round().astype(int))
    return np.asarray(segments[chosen][..., np.newaxis], np.float32)


def _held_out(index: Path, files: Sequence[SpeechFile]) -> SpeechSample:
    paths = dict.fromkeys(file.path for file in files if file.split != "train") or dict.fromkeys(f.path for f in files)
    return SpeechSample({str(path.relative_to(index.parent)): (path,) for path in paths}, None, str(index))
