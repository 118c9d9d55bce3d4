"""A list in files: its recordings are found, and the model's scoring decides unless another is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.embedders import open_artifact
from edge_sv.errors import DataError, UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.files import evaluate_files
from edge_sv.scoring.trials import TrialList


@pytest.fixture
def listed(voice_trials: TrialList, tmp_path: Path) -> Path:
    few = {f"s{speaker}/{number}.wav" for speaker in range(4) for number in range(3)}
    chosen = [trial for trial in voice_trials if {trial.enroll, trial.test} <= few]
    assert any(trial.label for trial in chosen) and not all(trial.label for trial in chosen)
    path = tmp_path / "trials.txt"
    path.write_text("".join(f"{int(trial.label)} {trial.enroll} {trial.test}\n" for trial in chosen))
    return path


def test_the_models_scoring_decides_where_it_is_of_that_kind(net: Path, voices: Path, listed: Path) -> None:
    own = open_artifact("resnet-nano").scoring
    assert own is not None
    shipped = evaluate_files("resnet-nano", listed, voices, jobs=1)
    assert (shipped.scoring, shipped.threshold, shipped.threshold_source) == (own.kind, own.threshold, "model")
    assert evaluate_files("resnet-nano", listed, voices, scoring=own.kind, jobs=1) == shipped
    if own.kind != "cosine":
        cosine = evaluate_files("resnet-nano", listed, voices, scoring="cosine", jobs=1)
        assert (cosine.scoring, cosine.threshold_source) == ("cosine", "eer")
    in_keras = evaluate_files(net, listed, voices, runtime="keras", scoring="cosine", jobs=1)
    assert in_keras.scoring == "cosine" and in_keras.trials == shipped.trials


def test_a_table_of_utterances_says_where_they_are(voices: Path, listed: Path, tmp_path: Path) -> None:
    direct = evaluate_files("resnet-nano", listed, voices, jobs=1)
    names = sorted({word for line in listed.read_text().splitlines() for word in line.split()[1:]})
    table = tmp_path / "utterances.csv"
    rows = [f"{name.replace('/', '_')},{voices / name},{name[:2]}" for name in names]
    table.write_text("\n".join(["utt_id,files,speaker", *rows]) + "\n")
    listed.write_text(listed.read_text().replace("/", "_"))
    assert evaluate_files("resnet-nano", listed, utterances=table, jobs=1).eer == direct.eer


def test_what_is_missing_is_said(voices: Path, listed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recordings given"):
        evaluate_files("resnet-nano", listed)
    with pytest.raises(DataError):
        evaluate_files("resnet-nano", tmp_path / "absent.txt", voices)
    with pytest.raises(DataError):
        evaluate_files("resnet-nano", listed, tmp_path)
    with pytest.raises(UsageError, match="did you mean 'resnet-nano'"):
        evaluate_files("resnet-nan", listed, voices)


def test_a_second_run_finds_its_embeddings(voices: Path, listed: Path, cache: EmbeddingCache) -> None:
    seen: list[tuple[int, int]] = []
    first = evaluate_files("resnet-nano", listed, voices, cache=cache, jobs=1)
    again = evaluate_files(
        "resnet-nano", listed, voices, cache=cache, jobs=1, progress=lambda done, total: seen.append((done, total))
    )
    assert again == first and seen == [(first.recordings, first.recordings)]
