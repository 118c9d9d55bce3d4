"""A whole run on a tiny corpus: what it leaves, how it goes on after a kill, what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sv.embedders import KerasEmbedder
from edge_sv.errors import DataError, EdgeSvError, UsageError, unknown_name
from edge_sv.models.checkpoint import NetDescription, load_net
from edge_sv.training.config import TrainConfig
from edge_sv.training.fit import read_history, train
from edge_sv.training.history import Row
from edge_sv.training.inputs import Inputs
from tests.corpora import CONFIG, make_corpus, write_wav

REPOSITORY = Path(__file__).resolve().parents[3]


def change(config: TrainConfig, **sections: object) -> TrainConfig:
    """Return a configuration with other values: `net={"init": "x"}`, `seed=2`."""
    values = json.loads(config.model_dump_json())
    for name, value in sections.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) and name in values else value
    return TrainConfig.model_validate(values)


def inputs_of(data: Path, cache: Path, *, reference: Path | None = None, jobs: int = 1) -> Inputs:
    def find(name: str) -> Path:
        if not Path(name).is_dir():
            raise unknown_name("model", name, [])
        return Path(name)

    return Inputs(data, reference, lambda name: KerasEmbedder(find(name)), find, cache, jobs)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class Run:
    """Trains here, and remembers what was told."""

    def __init__(self, corpus: Path, cache: Path) -> None:
        self.inputs = inputs_of(corpus, cache)
        self.rows: list[tuple[Row, bool]] = []
        self.told: list[tuple[int, int, str]] = []

    def __call__(self, config: TrainConfig, out: Path) -> NetDescription:
        def progress(done: int, total: int, what: str) -> None:
            self.told.append((done, total, what))

        return train(config, self.inputs, out, progress=progress, on_epoch=lambda *row: self.rows.append(row))


@pytest.fixture
def run(corpus: Path, cache: Path) -> Run:
    return Run(corpus, cache)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: Path, cache: Path, config: TrainConfig) -> Path:
    """Folder of a finished run of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    Run(corpus, cache)(config, out)
    return out


def test_a_run_leaves_a_net_a_history_and_logs(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    description = run(config, tmp_path / "run")
    model, found = load_net(tmp_path / "run")
    assert found == description
    assert model.output_shape == (None, 8)
    assert found.provenance["training"]["seed"] == 3
    assert len(found.features.mean_start) == 16
    with (tmp_path / "run" / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    name = f"dev_eer_{run.inputs.data.name}"
    assert set(rows[0]) == {"epoch", "aam", "loss", "gradient_norm", name, "dev_eer"}
    best = min(range(2), key=lambda i: (float(rows[i]["dev_eer"]), -i))
    assert found.provenance["epoch"] == best + 1
    assert found.provenance["dev"] == {k: float(v) for k, v in rows[best].items() if k != "epoch"}
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*"))
    assert [row["epoch"] for row, _ in run.rows] == [1, 2] and run.rows[0][1]
    assert [told for told in run.told if told[2].startswith("epoch")] == [
        (i + 1, 8, f"epoch {i // 4 + 1}") for i in range(8)
    ]
    assert read_history(tmp_path / "run") == [row for row, _ in run.rows]


def test_the_same_run_gives_the_same_bytes(run: Run, finished: Path, config: TrainConfig, tmp_path: Path) -> None:
    run(config, tmp_path / "again")
    assert files(tmp_path / "again") == files(finished)
    run(change(config, seed=4), tmp_path / "other")
    assert files(tmp_path / "other") != files(finished)


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("weights.npz", "net.json", "history.csv", "config.json")}


def test_a_finished_run_is_left_as_it_is(run: Run, config: TrainConfig, finished: Path) -> None:
    before = files(finished)
    description = run(config, finished)
    assert files(finished) == before and run.rows == []
    assert description == load_net(finished)[1]


def test_training_lowers_the_dev_error(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    longer = change(config, optimizer={"epochs": 4, "steps_per_epoch": 20}, augment={"copies": 0, "noise": None})
    run(longer, tmp_path / "run")
    losses = [row["loss"] for row, _ in run.rows]
    assert losses[-1] < 0.7 * losses[0]
    assert min(row["dev_eer"] for row, _ in run.rows) < 0.25


def test_without_dev_lists_the_loss_decides(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    description = run(change(config, validation={"trials": []}), tmp_path / "run")
    losses = [row["loss"] for row, _ in run.rows]
    assert description.provenance["epoch"] == 1 + losses.index(min(losses))
    assert not any("eer" in name for name in description.provenance["dev"])


def test_lists_count_in_noise_too(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    run(change(config, validation={"noisy": True}, optimizer={"epochs": 1}), tmp_path / "run")
    row, name = run.rows[0][0], f"dev_eer_{run.inputs.data.name}"
    assert row["dev_eer"] == pytest.approx((row[name] + row[f"{name}_noisy"]) / 2)


def test_patience_ends_a_run(run: Run, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([0.3, 0.2, 0.25, 0.2, 0.1])
    monkeypatch.setattr("edge_sv.training.validation.Validation.eers", lambda self, model: {"x": next(errors)})
    patient = change(config, optimizer={"epochs": 9, "steps_per_epoch": 1, "patience": 2})
    assert run(patient, tmp_path / "run").provenance["epoch"] == 4
    assert [(row["dev_eer"], best) for row, best in run.rows] == [(0.3, True), (0.2, True), (0.25, False), (0.2, True)]
    assert run(patient, tmp_path / "run").provenance["epoch"] == 4
    assert len(run.rows) == 4


def test_a_teacher_and_a_start_from_another_net(run: Run, finished: Path, config: TrainConfig, tmp_path: Path) -> None:
    student = change(
        config,
        net={"init": str(finished)},
        loss={"teachers": [str(finished)], "teacher_weight": 5.0, "aam_weight": 0.0, "teacher_projection": False},
        optimizer={"learning_rate": 1e-9},
    )
    run(student, tmp_path / "run")
    ours, theirs = (load_net(folder)[0].trainable_weights for folder in (tmp_path / "run", finished))
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):  # the last is the bias that centres embeddings
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)
    assert np.abs(ours[-1].numpy() - theirs[-1].numpy()).max() > 1e-6
    assert run.rows[0][0]["teacher"] == pytest.approx(run.rows[0][0]["loss"] / 5, rel=1e-5)


def test_a_student_of_recordings_crops_and_frames(
    run: Run, finished: Path, config: TrainConfig, tmp_path: Path
) -> None:
    """A narrower net learns at three levels at once; killed after an epoch it goes on with the same result."""
    student = change(
        config,
        net={"config": {"stem_channels": 3, "stage_channels": [3], "stage_blocks": [1], "downsample": ["none"],
                        "embedding_dim": 4}},
        loss={"teachers": [str(finished)] * 2, "teacher_weight": 1.0, "crop_weight": 1.0, "frame_weight": 1.0},
    )  # fmt: skip
    description = run(student, tmp_path / "run")
    assert description.features == load_net(finished)[1].features
    row = run.rows[0][0]
    assert row["loss"] == pytest.approx(row["aam"] + row["teacher"] + row["crop"] + row["frame"], rel=1e-5)
    half = Run(run.inputs.data, run.inputs.cache)

    def stop(*_row: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(student, half.inputs, tmp_path / "half", progress=lambda *_: None, on_epoch=stop)
    half(student, tmp_path / "half")
    assert files(tmp_path / "half") == files(tmp_path / "run")


def test_an_average_with_the_start_and_another_net(
    run: Run, finished: Path, config: TrainConfig, tmp_path: Path
) -> None:
    own = change(config, net={"init": str(finished)}, seed=7, optimizer={"epochs": 1})
    run(own, tmp_path / "own")
    run(change(own, average={"start": 0.25, str(finished): 0.5}), tmp_path / "mixed")
    mixed, tuned, other = (load_net(f)[0].get_weights() for f in (tmp_path / "mixed", tmp_path / "own", finished))
    assert any(np.abs(one - two).max() > 0.01 for one, two in zip(tuned, other, strict=True))
    for m, t, o in zip(mixed[:-1], tuned[:-1], other[:-1], strict=True):  # the last is the bias that the start centres
        np.testing.assert_allclose(m, 0.25 * t + 0.75 * o, atol=1e-6)
    assert run.rows[0][0]["loss"] == run.rows[1][0]["loss"]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"average": {"nobody": 0.5}}, "unknown model 'nobody'"),
        ({"net": {"config": {"stem": 4}}}, "unknown resnet option 'stem'"),
        ({"net": {"family": "vit"}}, "unknown net family 'vit'"),
        ({"net": {"init": "reference"}}, "uses the reference net"),
        ({"net": {"init": "resnet-tin"}}, "unknown model 'resnet-tin'"),
        ({"loss": {"teachers": ["who"], "teacher_weight": 1.0}}, "unknown model 'who'"),
        ({"loss": {"teachers": ["who"], "frame_weight": 1.0}}, "unknown model 'who'"),
        ({"loss": {"teachers": ["reference"], "crop_weight": 1.0}}, "the reference net teach crops or frames"),
        ({"augment": {"noise": "noises"}}, "no noise in"),
        ({"corpus_weights": {"cc": 1.0}}, "corpus in corpus_weights 'cc'"),
        ({"validation": {"trials": ["absent.txt"]}}, "absent.txt"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_done(
    run: Run, config: TrainConfig, tmp_path: Path, sections: dict[str, object], words: str
) -> None:
    with pytest.raises(EdgeSvError) as caught:
        run(change(config, **sections), tmp_path / "run")
    assert words in str(caught.value)
    assert run.told == [] and not (tmp_path / "run").exists()


def test_a_teacher_with_another_front_end_is_told_before_anything_is_done(
    run: Run, finished: Path, config: TrainConfig, tmp_path: Path
) -> None:
    loss = {"teachers": [str(finished)], "crop_weight": 1.0}
    with pytest.raises(UsageError, match="cannot teach crops or frames") as caught:
        run(change(config, loss=loss, features={"fmin_hz": 50.0}), tmp_path / "run")
    assert caught.value.details == {"fmin_hz": "20.0, the net has 50.0"}
    assert run.told == [] and not (tmp_path / "run").exists()


def test_a_recipe_for_a_net_of_another_shape_is_refused(
    run: Run, finished: Path, config: TrainConfig, tmp_path: Path
) -> None:
    wider = change(config, recipe="palette_w4_ai8", net={"init": str(finished), "config": {"embedding_dim": 9}})
    with pytest.raises(UsageError, match="which has another shape"):
        run(wider, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_configuration_in_the_same_folder_is_refused(run: Run, config: TrainConfig, finished: Path) -> None:
    before = files(finished)
    with pytest.raises(UsageError, match="another configuration"):
        run(change(config, optimizer={"epochs": 3}), finished)
    assert files(finished) == before


def test_a_folder_with_a_net_of_other_origin_is_refused(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text("{}")
    with pytest.raises(UsageError, match="another configuration"):
        run(config, tmp_path)


def test_a_run_that_never_got_anywhere_may_change_its_configuration(
    run: Run, config: TrainConfig, tmp_path: Path
) -> None:
    diverging = change(config, loss={"scale": 1e38})
    with pytest.raises(UsageError, match="diverged in epoch 1: the loss is nan"):
        run(diverging, tmp_path / "run")
    run(config, tmp_path / "run")
    assert len(read_history(tmp_path / "run")) == 2


def test_a_broken_recording_is_named(config: TrainConfig, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    (corpus / "s2" / "r1.wav").write_bytes(b"not a sound")
    with pytest.raises(DataError, match=r"s2/r1\.wav"):
        Run(corpus, tmp_path / "cache")(config, tmp_path / "run")
    write_wav(corpus / "s2" / "r1.wav", np.full(9000, 0.1))
    (corpus / "s5" / "r0.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"s5/r0\.wav"):
        Run(corpus, tmp_path / "cache")(config, tmp_path / "run")


def test_a_damaged_state_is_told(run: Run, config: TrainConfig, finished: Path, tmp_path: Path) -> None:
    run(config, tmp_path / "run")
    state = tmp_path / "run" / "state.npz"
    state.write_bytes(state.read_bytes()[:999])
    for attempt in (lambda: run(config, tmp_path / "run"), lambda: read_history(tmp_path / "run")):
        with pytest.raises(DataError, match=r"state\.npz is damaged"):
            attempt()


def test_a_full_disk_keeps_the_last_epoch(
    run: Run, config: TrainConfig, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the second epoch's state on; with room again the run ends as if nothing had been."""
    from edge_sv.training import trainer

    written = []

    def fills_up(path: Path, data: bytes) -> None:
        if written:
            raise DataError(f"cannot write {path}", details={"got": "No space left on device"})
        written.append(path)
        keep(path, data)

    keep = trainer.write_atomic
    monkeypatch.setattr(trainer, "write_atomic", fills_up)
    with pytest.raises(DataError, match="cannot write"):
        run(config, tmp_path / "run")
    monkeypatch.undo()
    assert len(read_history(tmp_path / "run")) == 1
    run(config, tmp_path / "run")
    assert files(tmp_path / "run") == files(finished)


# --- killed ----------------------------------------------------------------------------------------------------------

LONG = CONFIG.replace("epochs = 2", "epochs = 6").replace("steps_per_epoch = 4", "steps_per_epoch = 20")


def command(corpus: Path, config: Path, out: Path) -> list[str]:
    arguments = ["train", config, "--data", corpus, "--out", out, "--jobs", "2"]
    return [sys.executable, "-m", "edge_sv", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}


def start_until(corpus: Path, config: Path, out: Path, reached: Callable[[], bool]) -> subprocess.Popen[str]:
    """Start a run in a process and wait until it has got somewhere."""
    process = subprocess.Popen(
        command(corpus, config, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    deadline = time.monotonic() + 120
    while not reached():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.005)
    return process


def finish(corpus: Path, config: Path, out: Path) -> None:
    result = subprocess.run(
        command(corpus, config, out), capture_output=True, text=True, env=environment(), timeout=240
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> tuple[Path, Path]:
    """A configuration, and the folder of its run without interruption."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "long.toml").write_text(LONG)
    finish(corpus, folder / "long.toml", folder / "runs" / "whole")
    return folder / "long.toml", folder / "runs" / "whole"


def test_killed_at_any_moment_it_goes_on_with_the_same_result(
    corpus: Path, long: tuple[Path, Path], tmp_path: Path
) -> None:
    config, whole = long
    out = tmp_path / "runs" / "killed"
    epochs = int(np.random.default_rng().integers(1, 4))
    for reached in (
        lambda: any((tmp_path / "runs" / "cache").glob(".bank-*")),
        lambda: len(read_history(out)) >= epochs,
    ):
        process = start_until(corpus, config, out, reached)
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it had finished before it was killed"
        wait_until_gone(children)
    assert epochs <= len(read_history(out)) < 6
    finish(corpus, config, out)
    assert files(out) == files(whole)


def wait_until_gone(pids: list[int]) -> None:
    """Fail when processes are still there after a while."""
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "worker processes outlive a killed run"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
