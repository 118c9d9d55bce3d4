"""The feature bank: every training recording's log-mel frames, clean and degraded, at every speed, computed once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from edge_sv.audio import read_recording
from edge_sv.degrade import add_noise, reverberate
from edge_sv.errors import DataError
from edge_sv.features import FeatureConfig, Float32, Int16, log_mel
from edge_sv.files import atomic_folder, sha256_bytes
from edge_sv.training.config import AugmentSection
from edge_sv.training.corpus import Utterance

VERSION = 1
Progress = Callable[[int, int, str], None]
"""Called with (done, total, what)."""


@dataclass(frozen=True)
class FeatureBank:
    """Log-mel frames of all recordings before normalization.

    Args:
        frames: (total_frames, num_mels) float16.
        offsets: (utterances, speeds, 1 + copies, 2) int64, first and one-past-last frame; copy 0 is clean.
        mean: (num_mels,) mean of the clean frames at speed 1, the start of the running mean.
        utterances: what the first axis lists.
        speeds: what the second axis lists.
    """

    frames: npt.NDArray[np.float16]
    offsets: npt.NDArray[np.int64]
    mean: Float32
    utterances: tuple[Utterance, ...]
    speeds: tuple[float, ...]

    def get(self, utterance: int, speed: int, copy: int) -> npt.NDArray[np.float16]:
        """Return one recording's frames, (num_frames, num_mels)."""
        first, last = self.offsets[utterance, speed, copy]
        return self.frames[first:last]


def change_speed(pcm: Int16, speed: float) -> Int16:
    """Play faster or slower by resampling: (num_samples,) -> (num_samples / speed,); pitch changes too."""
    return pcm if speed == 1.0 else soxr.resample(pcm, speed * 16000, 16000, quality="HQ").astype(np.int16)


def open_bank(
    utterances: tuple[Utterance, ...],
    config: FeatureConfig,
    augment: AugmentSection,
    *,
    noise: tuple[tuple[Path, ...], tuple[Path, ...]],
    seed: int,
    cache: Path,
    jobs: int,
    progress: Progress,
) -> FeatureBank:
    """Open the bank for these recordings, making it first when it is not in the cache.

    Args:
        utterances: the corpus.
        config: the front end; its normalization plays no part here.
        augment: speeds, copies and levels.
        noise: files of noise and of room responses.
        seed: of the degraded copies.
        cache: folder for banks.
        jobs: processes.
        progress: told of every recording.
    """
    key = _key(utterances, config, augment, noise, seed)
    folder = cache / f"bank-{key[:16]}"
    if not (folder / "frames.npy").is_file():
        _make(folder, utterances, config, augment, noise=noise, seed=seed, jobs=jobs, progress=progress)
    return FeatureBank(
        frames=np.load(folder / "frames.npy", mmap_mode="r"),
        offsets=np.load(folder / "offsets.npy"),
        mean=np.load(folder / "mean.npy"),
        utterances=utterances,
        speeds=augment.speeds,
    )


def _key(
    utterances: tuple[Utterance, ...],
    config: FeatureConfig,
    augment: AugmentSection,
    noise: tuple[tuple[Path, ...], tuple[Path, ...]],
    seed: int,
) -> str:
    fields = augment.model_dump(include={"speeds", "copies", "snr_db", "noise_share", "reverb_share", "gain_db"})
    front_end = {k: v for k, v in asdict(config).items() if k.endswith(("_rate", "_ms", "_size", "_mels", "_hz"))}
    files = [(str(p), p.stat().st_size) for p in (*(u.path for u in utterances), *noise[0], *noise[1])]
    return sha256_bytes(json.dumps([VERSION, fields, front_end, files, seed]).encode())


def _make(
    folder: Path,
    utterances: tuple[Utterance, ...],
    config: FeatureConfig,
    augment: AugmentSection,
    *,
    noise: tuple[tuple[Path, ...], tuple[Path, ...]],
    seed: int,
    jobs: int,
    progress: Progress,
) -> None:
    offsets = np.zeros((len(utterances), len(augment.speeds), 1 + augment.copies, 2), np.int64)
    chunks: list[npt.NDArray[np.float16]] = []
    position = 0
    with ProcessPoolExecutor(jobs, initializer=_start_worker, initargs=(noise, config, augment, seed)) as pool:
        for index, variants in enumerate(pool.map(_variants, range(len(utterances)), utterances, chunksize=8)):
            for place, frames in np.ndenumerate(np.array(variants, object)):
                offsets[(index, *place)] = position, position + len(frames)
                position += len(frames)
                chunks.append(frames)
            progress(index + 1, len(utterances), "features")
    frames = np.concatenate(chunks)
    clean = offsets[:, augment.speeds.index(1.0) if 1.0 in augment.speeds else 0, 0]
    mean = np.mean([frames[a:b].astype(np.float32).mean(axis=0) for a, b in clean if b > a], axis=0)
    with atomic_folder(folder) as temporary:
        np.save(temporary / "frames.npy", frames)
        np.save(temporary / "offsets.npy", offsets)
        np.save(temporary / "mean.npy", mean.astype(np.float32))


_worker: tuple[list[Int16], list[Int16], FeatureConfig, AugmentSection, int]


def _start_worker(
    noise: tuple[tuple[Path, ...], tuple[Path, ...]], config: FeatureConfig, augment: AugmentSection, seed: int
) -> None:
    global _worker
    noises, rooms = ([read_recording(path, sample_rate=config.sample_rate) for path in kind] for kind in noise)
    _worker = noises, rooms, config, augment, seed


def _variants(index: int, utterance: Utterance) -> list[list[npt.NDArray[np.float16]]]:
    """Compute one recording's frames: [speed][copy] -> (num_frames, num_mels)."""
    noises, rooms, config, augment, seed = _worker
    rng = np.random.default_rng([seed, index])
    pcm = read_recording(utterance.path, sample_rate=config.sample_rate)
    rows = []
    for speed in augment.speeds:
        clean = change_speed(pcm, speed)
        if config.num_frames(len(clean)) == 0:
            raise DataError(f"{utterance.path} is shorter than one analysis window", hint="leave it out of the corpus")
        copies = [clean] + [_degrade(clean, noises, rooms, augment, rng) for _ in range(augment.copies)]
        rows.append([log_mel(copy, config).astype(np.float16) for copy in copies])
    return rows


def _degrade(
    pcm: Int16, noises: list[Int16], rooms: list[Int16], augment: AugmentSection, rng: np.random.Generator
) -> Int16:
    """Apply a random room, noise and gain."""
    if rooms and rng.random() < augment.reverb_share:
        pcm = reverberate(pcm, rooms[rng.integers(len(rooms))])
    if noises and rng.random() < augment.noise_share:
        noise = noises[rng.integers(len(noises))]
        pcm = add_noise(pcm, np.roll(noise, rng.integers(len(noise))), rng.uniform(*augment.snr_db))
    gain = 10 ** (rng.uniform(-augment.gain_db, augment.gain_db) / 20)
    return np.clip(np.rint(pcm * gain), -32768, 32767).astype(np.int16)
