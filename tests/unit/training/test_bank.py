"""The bank holds what the front end computes, is made once, and is made again when anything in it would change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, log_mel
from edge_sv.training.bank import FeatureBank, change_speed, open_bank
from edge_sv.training.config import AugmentSection
from edge_sv.training.corpus import NoiseFiles, Utterance, read_corpus, read_noise
from tests.corpora import make_corpus, shaped_noise, write_wav

FEATURES = FeatureConfig(num_mels=16)
AUGMENT = AugmentSection(speeds=(0.9, 1.0, 1.1), copies=2)


class Calls(list[tuple[int, int, str]]):
    """Remembers what progress was told."""

    def __call__(self, done: int, total: int, what: str) -> None:
        self.append((done, total, what))


@pytest.fixture(scope="module")
def arguments(corpus: Path) -> dict[str, Any]:
    return {
        "utterances": read_corpus(corpus),
        "config": FEATURES,
        "augment": AUGMENT,
        "noise": read_noise(corpus / "noise"),
        "seed": 1,
    }


def open_here(arguments: dict[str, Any], cache: Path, *, jobs: int = 1, **changes: Any) -> tuple[FeatureBank, Calls]:
    calls = Calls()
    return open_bank(**{**arguments, **changes}, cache=cache, jobs=jobs, progress=calls), calls


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def bank(arguments: dict[str, Any], cache: Path) -> FeatureBank:
    made, calls = open_here(arguments, cache)
    count = len(arguments["utterances"])
    assert calls == [(i + 1, count, "features") for i in range(count)]
    return made


def test_frames_lie_side_by_side(bank: FeatureBank) -> None:
    assert bank.offsets.shape == (12, 3, 3, 2)
    ends = bank.offsets.reshape(-1, 2)
    assert ends[0, 0] == 0 and ends[-1, 1] == len(bank.frames)
    np.testing.assert_array_equal(ends[1:, 0], ends[:-1, 1])
    assert bank.frames.shape[1] == 16 and bank.frames.dtype == np.float16


@pytest.mark.parametrize("speed", range(3))
def test_clean_copies_are_the_front_ends_frames(bank: FeatureBank, speed: int) -> None:
    for index in (0, 7, 11):
        pcm = change_speed(read_recording(bank.utterances[index].path), bank.speeds[speed])
        np.testing.assert_array_equal(bank.get(index, speed, 0), log_mel(pcm, FEATURES).astype(np.float16))


def test_copies_differ_in_content_not_in_length(bank: FeatureBank) -> None:
    clean, first, second = (bank.get(3, 1, copy) for copy in range(3))
    assert clean.shape == first.shape == second.shape
    assert np.abs(clean - first).max() > 0.1 and np.abs(first - second).max() > 0.1


def test_a_faster_recording_is_shorter(bank: FeatureBank) -> None:
    lengths = [len(bank.get(0, speed, 0)) for speed in range(3)]
    expected = [FEATURES.num_frames(round(len(read_recording(bank.utterances[0].path)) / s)) for s in bank.speeds]
    assert lengths == expected and lengths[0] > lengths[1] > lengths[2]


def test_pitch_follows_speed() -> None:
    tone = (10000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)).astype(np.int16)
    fast = change_speed(tone, 1.25)
    assert len(fast) == 12800
    assert np.argmax(np.abs(np.fft.rfft(fast[:12800]))) * 16000 / 12800 == 1250
    assert change_speed(tone, 1.0) is tone


def test_mean_is_that_of_clean_recordings_at_their_own_speed(bank: FeatureBank) -> None:
    means = [bank.get(i, 1, 0).astype(np.float32).mean(axis=0) for i in range(12)]
    np.testing.assert_allclose(bank.mean, np.mean(means, axis=0), rtol=1e-6)


def test_a_second_run_makes_nothing(arguments: dict[str, Any], cache: Path, bank: FeatureBank) -> None:
    again, calls = open_here(arguments, cache)
    assert calls == []
    np.testing.assert_array_equal(again.frames, bank.frames)
    np.testing.assert_array_equal(again.offsets, bank.offsets)


def test_processes_make_the_same_bytes(
    arguments: dict[str, Any], cache: Path, bank: FeatureBank, tmp_path: Path
) -> None:
    _, calls = open_here(arguments, tmp_path, jobs=2)
    assert len(calls) == 12
    (ours,), (theirs,) = (list(folder.glob("bank-*")) for folder in (tmp_path, cache))
    assert ours.name == theirs.name
    for file in ("frames.npy", "offsets.npy", "mean.npy"):
        assert (ours / file).read_bytes() == (theirs / file).read_bytes()
    assert sorted(path.name for path in ours.iterdir()) == ["frames.npy", "mean.npy", "offsets.npy"]


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"config": replace(FEATURES, num_mels=17)},
        {"config": replace(FEATURES, fmin_hz=50.0)},
        {"augment": AUGMENT.model_copy(update={"speeds": (1.0,)})},
        {"augment": AUGMENT.model_copy(update={"copies": 1})},
        {"augment": AUGMENT.model_copy(update={"snr_db": (0.0, 5.0)})},
        {"augment": AUGMENT.model_copy(update={"noise_share": 0.1})},
        {"augment": AUGMENT.model_copy(update={"reverb_share": 0.1})},
        {"augment": AUGMENT.model_copy(update={"gain_db": 1.0})},
        {"noise": NoiseFiles()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_in_the_bank_is_in_its_key(
    arguments: dict[str, Any], cache: Path, bank: FeatureBank, changes: dict[str, Any]
) -> None:
    before = len(list(cache.glob("bank-*")))
    _, calls = open_here(arguments, cache, **changes)
    assert len(calls) == 12
    assert len(list(cache.glob("bank-*"))) == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"augment": AUGMENT.model_copy(update={"mel_masks": 3, "time_width": 9, "clean_share": 0.9})},
        {"config": replace(FEATURES, normalization="utterance_mean", clip=1.0)},
    ],
    ids=["masks", "normalization"],
)
def test_what_batches_do_later_is_not(
    arguments: dict[str, Any], cache: Path, bank: FeatureBank, changes: dict[str, Any]
) -> None:
    assert open_here(arguments, cache, **changes)[1] == []


def test_another_file_is_another_bank(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    arguments = {
        "config": FEATURES,
        "augment": AugmentSection(speeds=(1.0,), copies=0),
        "noise": NoiseFiles(),
        "seed": 1,
    }
    first, _ = open_here({**arguments, "utterances": read_corpus(corpus)}, tmp_path / "cache")
    write_wav(corpus / "s0" / "r0.wav", shaped_noise(np.random.default_rng(9), np.zeros(12), 20000))
    second, calls = open_here({**arguments, "utterances": read_corpus(corpus)}, tmp_path / "cache")
    assert len(calls) == 12 and len(second.frames) > len(first.frames)
    assert second.offsets.shape == (12, 1, 1, 2)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("data", "words"), [(b"no sound", "r1.wav"), (b"", "r1.wav is empty"), (None, "shorter than one analysis window")]
)
def test_a_recording_that_cannot_be_used_is_named(tmp_path: Path, jobs: int, data: bytes | None, words: str) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    if data is None:
        write_wav(corpus / "s1" / "r1.wav", np.zeros(300))
    else:
        (corpus / "s1" / "r1.wav").write_bytes(data)
    with pytest.raises(DataError) as caught:
        open_bank(
            read_corpus(corpus),
            FEATURES,
            AugmentSection(copies=0),
            noise=NoiseFiles(),
            seed=1,
            cache=tmp_path / "cache",
            jobs=jobs,
            progress=Calls(),
        )
    assert words in str(caught.value) and str(corpus / "s1" / "r1.wav") in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_broken_noise_file_is_named(arguments: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "hum.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"hum\.wav"):
        open_here(arguments, tmp_path / "cache", jobs=2, noise=NoiseFiles((tmp_path / "hum.wav",)))


def test_a_missing_recording_is_named(arguments: dict[str, Any], tmp_path: Path) -> None:
    gone = Utterance(tmp_path / "gone.wav", "s0", "aa")
    with pytest.raises(DataError, match=r"gone\.wav"):
        open_here(arguments, tmp_path, utterances=(*arguments["utterances"], gone))


def test_a_damaged_bank_is_told(arguments: dict[str, Any], tmp_path: Path) -> None:
    plain = {**arguments, "augment": AugmentSection(speeds=(1.0,), copies=0), "noise": NoiseFiles()}
    open_here(plain, tmp_path)
    (frames,) = tmp_path.glob("bank-*/frames.npy")
    frames.write_bytes(frames.read_bytes()[:50])
    with pytest.raises(DataError, match="is damaged") as caught:
        open_here(plain, tmp_path)
    assert str(frames.parent) in str(caught.value)


def test_an_unwritable_cache_is_told(arguments: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        open_here(arguments, tmp_path / "file")
