"""How fast the front end is, against librosa doing the same work in the same run.

    python benchmarks/front_end.py [--seconds 3] [--recordings 20] [--rounds 7] [--json]

Hours of speech per minute of one core. They depend on the machine, so read the ratios: both sides have one thread and
take turns, round by round, and each counts its fastest round, in processor time. The samples are seeded noise; neither
side's time depends on them. Needs `[dev]`.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits  # comes with librosa

from edge_sv.audio.recording import read_recording
from edge_sv.frontend.features import LOG_FLOOR, FeatureConfig, compute_features
from edge_sv.system.array_types import Float32, Int16

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """Hours of speech that each side works through in a minute of one core."""

    task: str
    edge_sv: float
    librosa: float
    ratio: float


def librosa_features(pcm: Int16, config: FeatureConfig) -> Float32:
    """Compute log-mel frames without normalization, (num_frames, num_mels), the way librosa's users do."""
    power = librosa.feature.melspectrogram(
        y=pcm.astype(np.float32) / 32768,
        sr=config.sample_rate,
        n_fft=config.fft_size,
        hop_length=config.hop_length,
        win_length=config.window_length,
        center=False,
        n_mels=config.num_mels,
        fmin=config.fmin_hz,
        fmax=config.fmax_hz,
        htk=True,
        norm=None,
    )
    return np.asarray(np.log(np.maximum(power.T, np.float32(LOG_FLOOR))), np.float32)


def compare(task: str, ours: Work, theirs: Work, *, seconds: float, rounds: int) -> Comparison:
    """Time two ways to work through `seconds` of speech, in turns; one round before counts for nothing."""
    fastest = [float("inf"), float("inf")]
    for counts in [False] + [True] * rounds:
        for side, work in enumerate((ours, theirs)):
            start = time.process_time()
            work()
            elapsed = time.process_time() - start
            if counts:
                fastest[side] = min(fastest[side], elapsed)
    mine, other = ((seconds / 3600) / (elapsed / 60) for elapsed in fastest)
    return Comparison(task, mine, other, mine / other)


def compare_features(pcms: Sequence[Int16], config: FeatureConfig, *, rounds: int) -> Comparison:
    """Compare features of recordings that are in memory; ours include the running mean."""
    return compare(
        f"features, {config.num_mels} mels",
        lambda: [compute_features(pcm, config) for pcm in pcms],
        lambda: [librosa_features(pcm, config) for pcm in pcms],
        seconds=sum(map(len, pcms)) / config.sample_rate,
        rounds=rounds,
    )


def compare_reading(pcms: Sequence[Int16], rate: int, *, rounds: int) -> Comparison:
    """Compare reading 16-bit wav files of some sample rate as 16 kHz, both with soxr's HQ resampler."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.wav" for index in range(len(pcms))]
        for path, pcm in zip(paths, pcms, strict=True):
            soundfile.write(path, pcm, rate)
        return compare(
            f"reading, {rate / 1000:g} kHz wav",
            lambda: [read_recording(path) for path in paths],
            lambda: [librosa.load(path, sr=16000, res_type="soxr_hq") for path in paths],
            seconds=sum(map(len, pcms)) / rate,
            rounds=rounds,
        )


def table(rows: Sequence[Comparison]) -> str:
    """Lay the comparisons out in columns."""
    text = io.StringIO()
    text.write(f"{'hours of speech per minute':<28}{'edge_sv':>9}{'librosa':>9}{'ratio':>8}\n")
    for row in rows:
        text.write(f"{row.task:<28}{row.edge_sv:>9.1f}{row.librosa:>9.1f}{row.ratio:>7.2f}x\n")
    return text.getvalue()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a recording")
    parser.add_argument("--recordings", type=int, default=20, help="recordings in a round")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the fastest counts")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    options = parser.parse_args()
    random = np.random.default_rng(0)

    def recordings(rate: int) -> list[Int16]:
        size = round(options.seconds * rate)
        return [random.integers(-3000, 3000, size, dtype=np.int16) for _ in range(options.recordings)]

    with threadpool_limits(1):
        rows = [
            compare_features(recordings(16000), FeatureConfig(num_mels=mels), rounds=options.rounds)
            for mels in (40, 80)
        ]
        rows += [compare_reading(recordings(rate), rate, rounds=options.rounds) for rate in (16000, 44100)]
    if options.json:
        json.dump({"schema_version": 1, "hours_per_minute": [asdict(row) for row in rows]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
