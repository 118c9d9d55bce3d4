"""The feature bank: every training recording's log-mel frames, clean and degraded, at every speed, computed once."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soxr

from edge_sv.audio.noise_and_rooms import add_noise, reverberate
from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, log_mel
from edge_sv.system.array_types import Float16, Float32, Int16
from edge_sv.system.files import atomic_folder, sha256_bytes
from edge_sv.system.processes import map_in_processes
from edge_sv.training.config import AugmentSection
from edge_sv.training.corpus import NoiseFiles, Utterance, file_sizes

VERSION = 1
Progress = Callable[[int, int, str], None]
"""Called with (done, total, what)."""
Variants = list[list[Float16]]
"""One recording's frames: [speed][copy] -> (num_frames, num_mels)."""


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

    frames: Float16
    offsets: npt.NDArray[np.int64]
    mean: Float32
    utterances: tuple[Utterance, ...]
    speeds: tuple[float, ...]

    def get(self, utterance: int, speed: int, copy: int) -> Float16:
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
    noise: NoiseFiles,
    seed: int,
    cache: Path,
    jobs: int,
    progress: Progress,
) -> FeatureBank:
    """Open the bank for these recordings, making it first when it is not in the cache.

    A file counts as the same while its path and its size are.

    Args:
        utterances: the corpus.
        config: the front end; its normalization plays no part here.
        augment: speeds, copies and levels.
        noise: what degraded copies hear.
        seed: of the degraded copies.
        cache: folder for banks.
        jobs: processes.
        progress: called for every recording.

    Raises:
        DataError: a recording cannot be used, or the cache cannot be written.
    """
    key = _key(utterances, config, augment, noise, seed)
    folder = cache / f"bank-{key[:16]}"
    if not (folder / "frames.npy").is_file():
        noises, rooms = (
            tuple(read_recording(path, sample_rate=config.sample_rate) for path in paths)
            for paths in (noise.noises, noise.rooms)
        )
        _make(folder, utterances, _Worker(noises, rooms, config, augment, seed), jobs=jobs, progress=progress)
    return _load(folder, utterances, augment.speeds)


def _load(folder: Path, utterances: tuple[Utterance, ...], speeds: tuple[float, ...]) -> FeatureBank:
    try:
        return FeatureBank(
            frames=np.load(folder / "frames.npy", mmap_mode="r"),
            offsets=np.load(folder / "offsets.npy"),
            mean=np.load(folder / "mean.npy"),
            utterances=utterances,
            speeds=speeds,
        )
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder} is damaged", details={"got": str(error)}, hint="remove it") from error


def _key(
    utterances: tuple[Utterance, ...], config: FeatureConfig, augment: AugmentSection, noise: NoiseFiles, seed: int
) -> str:
    fields = augment.model_dump(include={"speeds", "copies", "snr_db", "noise_share", "reverb_share", "gain_db"})
    front_end = {k: v for k, v in asdict(config).items() if k.endswith(("_rate", "_ms", "_size", "_mels", "_hz"))}
    files = file_sizes([*(u.path for u in utterances), *noise.noises, *noise.rooms])
    return sha256_bytes(json.dumps([VERSION, fields, front_end, files, seed]).encode())


def _make(folder: Path, utterances: tuple[Utterance, ...], worker: _Worker, *, jobs: int, progress: Progress) -> None:
    """Compute all frames and write them as they come: a corpus' frames need not fit into memory."""
    speeds, num_mels = worker.augment.speeds, worker.features.num_mels
    offsets = np.zeros((len(utterances), len(speeds), 1 + worker.augment.copies, 2), np.int64)
    natural = speeds.index(1.0) if 1.0 in speeds else 0
    means: list[Float32] = []
    position = 0
    with (
        atomic_folder(folder) as temporary,
        (temporary / "frames.npy").open("wb") as stream,
        closing(_all_variants(utterances, worker, jobs)) as arriving,
    ):
        _write_header(stream, 0, num_mels)
        for index, variants in enumerate(arriving):
            for speed, copy in np.ndindex(offsets.shape[1:3]):
                frames = variants[speed][copy]
                stream.write(frames.tobytes())
                offsets[index, speed, copy] = position, position + len(frames)
                position += len(frames)
            means.append(variants[natural][0].astype(np.float32).mean(axis=0))
            progress(index + 1, len(utterances), "features")
        stream.seek(0)
        _write_header(stream, position, num_mels)
        np.save(temporary / "offsets.npy", offsets)
        np.save(temporary / "mean.npy", np.mean(means, axis=0).astype(np.float32))


def _write_header(stream: BinaryIO, num_frames: int, num_mels: int) -> None:
    """Write the head of a (num_frames, num_mels) float16 npy file; numpy leaves room for any num_frames in it."""
    head = {"descr": np.dtype(np.float16).str, "fortran_order": False, "shape": (num_frames, num_mels)}
    np.lib.format.write_array_header_1_0(stream, head)


@dataclass(frozen=True)
class _Worker:
    """Computes the frames of single recordings; every process has its own."""

    noises: tuple[Int16, ...]
    rooms: tuple[Int16, ...]
    features: FeatureConfig
    augment: AugmentSection
    seed: int

    def variants(self, task: tuple[int, Utterance]) -> Variants:
        index, utterance = task
        rng = np.random.default_rng([self.seed, index])
        pcm = read_recording(utterance.path, sample_rate=self.features.sample_rate)
        rows = []
        for speed in self.augment.speeds:
            clean = change_speed(pcm, speed)
            if self.features.num_frames(len(clean)) == 0:
                raise DataError(
                    f"{utterance.path} is shorter than one analysis window", hint="leave it out of the corpus"
                )
            copies = [clean] + [self._degrade(clean, rng) for _ in range(self.augment.copies)]
            rows.append([log_mel(copy, self.features).astype(np.float16) for copy in copies])
        return rows

    def _degrade(self, pcm: Int16, rng: np.random.Generator) -> Int16:
        """Apply a random room, noise and gain."""
        if self.rooms and rng.random() < self.augment.reverb_share:
            pcm = reverberate(pcm, self.rooms[rng.integers(len(self.rooms))])
        if self.noises and rng.random() < self.augment.noise_share:
            noise = self.noises[rng.integers(len(self.noises))]
            pcm = add_noise(pcm, np.roll(noise, rng.integers(len(noise))), rng.uniform(*self.augment.snr_db))
        gain = 10 ** (rng.uniform(-self.augment.gain_db, self.augment.gain_db) / 20)
        result: Int16 = np.clip(np.rint(pcm * gain), -32768, 32767).astype(np.int16)
        return result


def _all_variants(utterances: tuple[Utterance, ...], worker: _Worker, jobs: int) -> Generator[Variants, None, None]:
    """Yield the frames of every recording in order, from worker processes when there are to be several."""
    tasks = enumerate(utterances)
    if jobs <= 1:
        yield from map(worker.variants, tasks)
        return
    with closing(map_in_processes(_run, tasks, jobs=jobs, start=functools.partial(_start, worker))) as arriving:
        yield from arriving


_worker: _Worker | None = None
"""This process's worker, when this is a worker process."""


def _start(worker: _Worker) -> None:
    global _worker
    _worker = worker


def _run(task: tuple[int, Utterance]) -> Variants:
    assert _worker is not None
    return _worker.variants(task)
