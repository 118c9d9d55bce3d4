"""Evaluation with a small real embedder: mean and deviation of the log-mel bands tell speakers apart somewhat."""

from __future__ import annotations

import json
import resource
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.audio.noisy_copy import read_noisy_copy
from edge_sv.errors import DataError, UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache, default_cache_folder, embedding_key
from edge_sv.evaluation.evaluate import compute_evaluation, embed_recordings, evaluate, score_list
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.scoring.scores import Cohort, Scoring
from edge_sv.scoring.trials import Recordings, Trial, TrialList, find_recordings, read_trials


@dataclass
class BandStatistics:
    """A real embedder without a net; counts its recordings, and stops like Ctrl-C after `stop_after`."""

    features: FeatureConfig = field(default_factory=lambda: FeatureConfig(num_mels=24, normalization="none", clip=40))
    segments: SegmentRule = field(default_factory=SegmentRule)
    embedding_dim: int = 48
    model_sha256: str = "0" * 64
    sources_sha256: str = "of the test"
    stop_after: int = 10**9
    embedded: int = 0

    def embed(self, pcm: np.ndarray) -> np.ndarray:
        if self.embedded >= self.stop_after:
            raise KeyboardInterrupt
        self.embedded += 1
        frames = compute_features(pcm, self.features)
        if len(frames) == 0:
            raise DataError("the recording is shorter than one analysis window")
        mean, deviation = frames.mean(axis=0), frames.std(axis=0)
        return normalize_length(np.concatenate([mean - mean.mean(), 2 * (deviation - 2.5)]))


@dataclass
class Counting:
    """Collects progress."""

    calls: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four 'speakers' of twenty coloured-noise recordings each; a speaker is a spectral tilt."""
    folder = tmp_path_factory.mktemp("voices")
    generator = np.random.default_rng(0)
    for speaker in range(4):
        (folder / f"s{speaker}").mkdir()
        for i in range(20):
            spectrum = np.fft.rfft(generator.normal(size=6000))
            tilt = np.linspace(0, 1, len(spectrum)) * (speaker - 1.5 + 0.3 * generator.normal())
            samples = np.fft.irfft(spectrum * np.exp(tilt)) * 2000
            soundfile.write(folder / f"s{speaker}/{i}.wav", samples.astype(np.int16), 16000)
    return folder


@pytest.fixture(scope="module")
def voice_trials() -> TrialList:
    names = [(speaker, f"s{speaker}/{i}.wav") for speaker in range(4) for i in range(20)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    chosen = np.random.default_rng(1).permutation(len(pairs))[:1500]
    return TrialList(tuple(Trial(pairs[i][0][0] == pairs[i][1][0], pairs[i][0][1], pairs[i][1][1]) for i in chosen))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    opened = EmbeddingCache(tmp_path / "cache")
    yield opened
    opened.close()


def test_every_recording_is_embedded_once(voices: Path, voice_trials: TrialList) -> None:
    embedder, progress = BandStatistics(), Counting()
    result = evaluate(embedder, voice_trials, find_recordings(voice_trials, voices), progress=progress)
    assert embedder.embedded == result.recordings == 80
    assert progress.calls == [(n, 80) for n in range(81)]
    assert result.speakers == 4 and result.trials == 1500 and result.targets == int(voice_trials.labels.sum())
    assert result.scores.shape == (1500,)
    assert 0 < result.eer < 0.2 and result.eer_ci is not None
    assert result.eer_ci[0] <= result.eer <= result.eer_ci[1]


def test_worker_processes_give_the_same(voices: Path, voice_trials: TrialList) -> None:
    files = find_recordings(voice_trials, voices).files
    alone = embed_recordings(BandStatistics(), files)
    together = embed_recordings(BandStatistics, files, jobs=2)
    assert list(alone) == list(together) == list(voice_trials.recordings)
    for name, embedding in alone.items():
        np.testing.assert_array_equal(together[name], embedding)


def test_an_error_in_a_worker_process_arrives_in_words(voices: Path, voice_trials: TrialList, tmp_path: Path) -> None:
    files = dict(find_recordings(voice_trials, voices).files)
    broken = tmp_path / "broken.wav"
    broken.write_text("not a sound")
    files["s0/0.wav"] = (broken,)
    with pytest.raises(DataError, match=r"broken\.wav"):
        embed_recordings(BandStatistics, files, jobs=2)


def test_the_cache_saves_the_second_run(voices: Path, voice_trials: TrialList, cache: EmbeddingCache) -> None:
    recordings = find_recordings(voice_trials, voices)
    first = evaluate(BandStatistics(), voice_trials, recordings, cache=cache)
    again, progress = BandStatistics(), Counting()
    second = evaluate(again, voice_trials, recordings, cache=cache, progress=progress)
    assert again.embedded == 0 and progress.calls == [(80, 80)]
    assert second == first
    np.testing.assert_array_equal(second.scores, first.scores)


def test_an_interruption_loses_nothing(voices: Path, voice_trials: TrialList, cache: EmbeddingCache) -> None:
    files = find_recordings(voice_trials, voices).files
    with pytest.raises(KeyboardInterrupt):
        embed_recordings(BandStatistics(stop_after=30), files, cache=cache)
    reopened = EmbeddingCache(cache.path.parent)
    rest = BandStatistics()
    embed_recordings(rest, files, cache=reopened)
    assert rest.embedded == 50


def test_the_cache_knows_what_an_embedding_depends_on(voices: Path, tmp_path: Path) -> None:
    files = (voices / "s0/0.wav",)
    base = {
        "model_sha256": "a",
        "embedder": "x",
        "features": FeatureConfig(),
        "segments": SegmentRule(),
        "degradation": None,
    }
    keys = {
        embedding_key(files, **base),
        embedding_key((voices / "s0/1.wav",), **base),
        embedding_key(files * 2, **base),
        embedding_key(files, **{**base, "model_sha256": "b"}),
        embedding_key(files, **{**base, "embedder": "y"}),
        embedding_key(files, **{**base, "features": FeatureConfig(num_mels=40)}),
        embedding_key(files, **{**base, "segments": SegmentRule(100, 50)}),
        embedding_key(files, **{**base, "degradation": "noise"}),
    }
    assert len(keys) == 8
    copy = tmp_path / "copy.wav"
    copy.write_bytes(files[0].read_bytes())
    assert embedding_key((copy,), **base) == embedding_key(files, **base)
    assert "s0" not in embedding_key(files, **base)


def test_the_cache_is_for_its_owner_alone(cache: EmbeddingCache) -> None:
    cache.put("key", np.array([1, 2.5], np.float32))
    np.testing.assert_array_equal(cache.get("key"), np.array([1, 2.5], np.float32))
    assert cache.get("other") is None
    assert stat.S_IMODE(cache.path.parent.stat().st_mode) == 0o700
    for path in cache.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_cache_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "embeddings.sqlite").write_bytes(b"no database at all, " * 50)
    with pytest.raises(DataError) as error:
        EmbeddingCache(tmp_path)
    assert "embeddings.sqlite" in str(error.value) and "delete" in str(error.value)
    with pytest.raises(DataError, match="cannot use the embedding cache"):
        EmbeddingCache(tmp_path / "embeddings.sqlite")


def test_a_full_disk_is_told_and_what_was_kept_stays(cache: EmbeddingCache) -> None:
    """A limit on file size stands for the full disk: both make the write fail."""
    embedding, kept = np.ones(64, np.float32), 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(DataError, match="cannot use the embedding cache"):
            for kept in range(5000):
                cache.put(str(kept), embedding)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kept > 10
    reopened = EmbeddingCache(cache.path.parent)
    assert all(reopened.get(str(i)) is not None for i in range(kept))
    reopened.close()


def test_the_cache_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "edge-sv"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / ".cache" / "edge-sv"


def test_a_recording_that_gives_no_embedding_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", np.full(20, 500, np.int16), 16000)
    with pytest.raises(DataError, match=r"recording id7: .*shorter than one analysis window"):
        embed_recordings(BandStatistics(), {"id7": (tmp_path / "click.wav",)})


def test_a_shipped_threshold_decides(voices: Path, voice_trials: TrialList) -> None:
    recordings = find_recordings(voice_trials, voices)
    own = evaluate(BandStatistics(), voice_trials, recordings)
    shipped = evaluate(BandStatistics(), voice_trials, recordings, scoring=Scoring("cosine", 2.0, 0.01))
    assert own.threshold_source == "eer" and own.threshold == own.eer_threshold
    assert abs(own.false_accept_rate - own.false_reject_rate) < 0.02
    assert shipped.threshold_source == "model" and shipped.threshold == 2.0
    assert (shipped.false_accept_rate, shipped.false_reject_rate) == (0.0, 1.0)
    assert shipped.act_dcf == {"0.01": pytest.approx(1.0), "0.05": pytest.approx(1.0)}
    assert shipped.eer == own.eer


def test_as_norm_needs_a_cohort_and_changes_scores(voices: Path, voice_trials: TrialList) -> None:
    embeddings = embed_recordings(BandStatistics(), find_recordings(voice_trials, voices).files)
    with pytest.raises(UsageError, match="cohort"):
        score_list(voice_trials, embeddings, kind="as_norm")
    cohort = Cohort(np.stack(list(embeddings.values())[::4]))
    plain, normed = (score_list(voice_trials, embeddings, kind=kind, cohort=cohort) for kind in ("cosine", "as_norm"))
    assert np.corrcoef(plain, normed)[0, 1] > 0.5 and not np.allclose(plain, normed)


def test_ids_that_do_not_tell_speakers_give_no_interval(voices: Path, voice_trials: TrialList) -> None:
    recordings = find_recordings(voice_trials, voices)
    nameless = Recordings(recordings.files, {name: name for name in recordings.files})
    result = evaluate(BandStatistics(), voice_trials, nameless)
    assert result.eer_ci is None and result.min_dcf_ci is None
    assert replace(result, speakers=4).eer == evaluate(BandStatistics(), voice_trials, recordings).eer


def test_the_document_is_json(voices: Path, voice_trials: TrialList) -> None:
    result = evaluate(BandStatistics(), voice_trials, find_recordings(voice_trials, voices))
    document = json.loads(json.dumps(result.to_dict()))
    assert {"eer", "eer_ci", "min_dcf", "act_dcf", "cllr", "min_cllr", "threshold", "trials", "targets"} <= set(
        document
    )
    assert set(document["min_dcf"]) == set(document["act_dcf"]) == {"0.01", "0.05"}
    assert "scores" not in document


def test_judge_does_not_depend_on_the_lists_order(voices: Path, voice_trials: TrialList) -> None:
    recordings = find_recordings(voice_trials, voices)
    embeddings = embed_recordings(BandStatistics(), recordings.files)
    backwards = TrialList(tuple(reversed(voice_trials.trials)))
    one, two = (
        compute_evaluation(score_list(trials, embeddings), trials, recordings.speakers)
        for trials in (voice_trials, backwards)
    )
    assert one.to_dict() == {**two.to_dict(), "cllr": pytest.approx(two.cllr), "min_cllr": pytest.approx(two.min_cllr)}


def test_real_speech_verifies_and_noise_makes_it_worse(speech_data: Path) -> None:
    trials = read_trials(speech_data / "libri" / "trials_test.txt")
    recordings = find_recordings(trials, speech_data / "libri")
    clean = evaluate(BandStatistics(), trials, recordings)
    assert clean.trials == 2450 and clean.targets == 450 and clean.speakers == 10 and clean.recordings == 100
    assert clean.eer < 0.25
    rates = [clean.eer]
    for snr in ((20, 20), (0, 0)):
        noise = read_noisy_copy(speech_data / "noise", snr_db=snr, reverb_share=0.5)
        rates.append(evaluate(BandStatistics(), trials, recordings, noise=noise).eer)
    assert rates == sorted(rates)


def test_noisy_embeddings_are_cached_apart_and_equal_in_processes(speech_data: Path, cache: EmbeddingCache) -> None:
    trials = read_trials(speech_data / "libri" / "trials_test.txt")
    files = find_recordings(trials, speech_data / "libri").files
    noise = read_noisy_copy(speech_data / "noise")
    clean = embed_recordings(BandStatistics(), files, cache=cache)
    noisy = embed_recordings(BandStatistics(), files, noise=noise, cache=cache)
    in_processes = embed_recordings(BandStatistics, files, noise=noise, jobs=2)
    for name in files:
        assert not np.allclose(clean[name], noisy[name])
        np.testing.assert_array_equal(noisy[name], in_processes[name])
