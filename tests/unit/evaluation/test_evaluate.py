"""Evaluation with a small real embedder: mean and deviation of the log-mel bands tell speakers apart somewhat."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.audio.noisy_copy import read_noisy_copy
from edge_sv.errors import DataError, UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import compute_evaluation, embed_recordings, evaluate, score_list
from edge_sv.scoring.scores import Cohort, Scoring
from edge_sv.scoring.trials import Recordings, TrialList, find_recordings, read_trials
from tests.band_statistics import BandStatistics


@dataclass
class Counting:
    """Collects progress."""

    calls: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))


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


def test_figures_do_not_depend_on_the_lists_order(voices: Path, voice_trials: TrialList) -> None:
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
