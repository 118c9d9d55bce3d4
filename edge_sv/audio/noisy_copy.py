"""A noisy copy of a trial list's recordings, the same on every machine: all is drawn from a seed and the ids."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_sv.audio.noise_and_rooms import degrade
from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError, UsageError, reason_of
from edge_sv.system.array_types import Int16
from edge_sv.system.files import path_below, sha256_file
from edge_sv.system.tables import UNREADABLE, read_table


@dataclass(frozen=True)
class Degradation:
    """What happens to one recording.

    Args:
        noise: file.
        start: where in the noise its first sample is taken, 0 to 1 of its length; it goes on from its own start.
        snr_db: speech over noise, dB.
        rir: file of the room's impulse response; None: no room.
    """

    noise: Path
    start: float
    snr_db: float
    rir: Path | None


@dataclass(frozen=True)
class NoisyCopy:
    """Degrades recordings by their ids. Changing one recording, or the order of them, changes no other.

    Args:
        noises: noise files, at least one.
        rirs: room impulse responses; at least one where reverb_share is above 0.
        snr_db: lowest and highest signal-to-noise ratio; drawn uniformly.
        reverb_share: share of the recordings that are put into a room first.
        seed: another seed, another copy.

    Raises:
        UsageError: a value that no copy can have.
    """

    noises: tuple[Path, ...] = field(repr=False)
    rirs: tuple[Path, ...] = field(repr=False)
    snr_db: tuple[float, float] = (5.0, 15.0)
    reverb_share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.snr_db[0] > self.snr_db[1] or not np.isfinite(self.snr_db).all():
            raise UsageError(f"impossible signal-to-noise range: {self.snr_db[0]} to {self.snr_db[1]} dB")
        if not 0 <= self.reverb_share <= 1:
            raise UsageError(f"share of reverberated recordings must be within [0, 1], got {self.reverb_share}")
        if not self.noises or (self.reverb_share > 0 and not self.rirs):
            raise UsageError("a noisy copy needs noise files, and room responses unless no recording is reverberated")

    def plan(self, recording: str) -> Degradation:
        """Return what happens to the recording of this id."""
        digest = hashlib.sha256(f"{self.seed}:{recording}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:16], "little"))
        noise, start, snr, room, rir = generator.random(5)
        return Degradation(
            noise=self.noises[int(noise * len(self.noises))],
            start=float(start),
            snr_db=float(self.snr_db[0] + snr * (self.snr_db[1] - self.snr_db[0])),
            rir=self.rirs[int(rir * len(self.rirs))] if room < self.reverb_share else None,
        )

    def apply(self, recording: str, pcm: Int16, *, sample_rate: int) -> Int16:
        """Degrade a recording, (num_samples,) int16, as planned for its id; same shape.

        Raises:
            DataError: a noise or room file cannot be read.
        """
        plan = self.plan(recording)
        noise = _read(plan.noise, sample_rate)
        rir = None if plan.rir is None else _read(plan.rir, sample_rate)
        return degrade(pcm, np.roll(noise, -int(plan.start * len(noise))), rir, plan.snr_db)

    def key(self, recording: str) -> str:
        """Return what identifies the degradation of this id: contents of files and numbers, not the files' places."""
        plan = self.plan(recording)
        rir = "none" if plan.rir is None else _digest(plan.rir)
        return f"{_digest(plan.noise)} {rir} {plan.start!r} {plan.snr_db!r}"


def read_noisy_copy(
    folder: Path,
    *,
    split: str = "test",
    snr_db: tuple[float, float] = (5.0, 15.0),
    reverb_share: float = 0.5,
    seed: int = 0,
) -> NoisyCopy:
    """Make a noisy copy from a folder of noises and rooms.

    Args:
        folder: holds `metadata.csv` with columns `path` (below the folder), `type` (`noise` or `rir`) and `split`.
        split: which rows to use; keep those that training heard out of an evaluation.
        snr_db: see `NoisyCopy`.
        reverb_share: see `NoisyCopy`.
        seed: see `NoisyCopy`.

    Raises:
        DataError: no metadata.csv, a missing column, or no noise of that split.
        UsageError: see `NoisyCopy`.
    """
    table = folder / "metadata.csv"
    try:
        rows = read_table(table).rows
        used = sorted((row["type"] or "", row["path"] or "") for _, row in rows if row["split"] == split)
    except UNREADABLE as error:
        raise DataError(f"cannot read {table}", details={"got": reason_of(error)}) from error
    except KeyError as error:
        raise DataError(f"{table} has no column {error}", hint="it needs path, type and split") from error
    noises, rirs = (
        tuple(path_below(folder, path) for kind, path in used if kind == wanted) for wanted in ("noise", "rir")
    )
    if not noises:
        raise DataError(f"{table} lists no noise with split '{split}'")
    return NoisyCopy(noises, rirs, snr_db=snr_db, reverb_share=reverb_share, seed=seed)


@functools.lru_cache(maxsize=256)
def _read(path: Path, sample_rate: int) -> Int16:
    return read_recording(path, sample_rate=sample_rate)


@functools.lru_cache(maxsize=4096)
def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
