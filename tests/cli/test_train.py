"""`edge-sv train` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_sv.cli.app import main
from tests.corpora import CONFIG, make_corpus

pytest.importorskip("tf_keras", reason="pip install 'edge-sv[train]'")

REPOSITORY = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    """What a command said."""

    returncode: object
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(CONFIG)
    return tmp_path / "tiny.toml"


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Answer]:
    """Run the command in this process, which saves the imports."""

    def run(*args: object) -> Answer:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["edge-sv", "train", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Answer(ended.value.code, written.out, written.err)

    return run


def test_a_run_tells_every_epoch_and_its_result(train: Callable[..., Answer], corpus: Path, config: Path) -> None:
    result = train(config, "--data", corpus, "--jobs", 1)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert lines[0] == "training tiny in runs/tiny"
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/2", "2/2"]
    assert all(word in line for line in epochs for word in ("loss", "aam", f"EER {corpus.name} ", "%"))
    assert epochs[0].endswith("best")
    assert "best epoch" in result.stdout and f"{corpus.name} EER" in result.stdout
    assert (config.parent / "runs" / "tiny" / "net.json").is_file()
    assert list((config.parent / "runs" / "cache").glob("bank-*"))


def test_json_is_all_of_stdout(train: Callable[..., Answer], corpus: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine" / "run"
    result = train(config, "--data", corpus / "index.csv", "--out", out, "--jobs", 1, "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1 and document["net"] == str(out)
    assert document["epoch"] in (1, 2)
    assert set(document["dev"]) == {"aam", "loss", "gradient_norm", f"dev_eer_{corpus.name}", "dev_eer"}
    again = train(config, "--data", corpus / "index.csv", "--out", out, "--json")
    assert json.loads(again.stdout) == document
    assert again.stderr == f"training tiny in {out}, on from epoch 3\n"


def test_a_dry_run_plans_and_writes_nothing(train: Callable[..., Answer], corpus: Path, config: Path) -> None:
    result = train(config, "--data", corpus, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    plan = json.loads(result.stdout)
    assert plan["recordings"] == 12 and plan["speakers"] == 4 and plan["classes"] == 8
    assert plan["shares"] == {"aa": 0.5, "bb": 0.5}
    assert plan["noises"] == 1 and plan["rooms"] == 1
    assert plan["steps"] == 8 and plan["heard_hours"] == pytest.approx(8 * 8 * 0.4 / 3600)
    assert 12 * 0.5 < 3600 * plan["hours"] < 12 * 0.9
    assert plan["dev_trials"] == {corpus.name: 36}
    # 3x3 and 1x1 kernels with their four batch-norm numbers a channel, and an embedding with a bias
    convolutions = 9 * 4 + 9 * 16 + 9 * 16 + 9 * 32 + 9 * 64 + 32
    assert plan["parameters"] == convolutions + 4 * (3 * 4 + 3 * 8) + 8 * 8 + 8
    assert plan["macs"] == 160 * (9 * 4 + 2 * 9 * 16) + 40 * (9 * 32 + 9 * 64 + 32) + 64
    text = train(config, "--data", corpus, "--dry-run").stdout
    for word in (
        "12 recordings",
        "4 speakers",
        "8 classes",
        "36",
        "8 in 2 epochs",
        f"{plan['parameters']:,} parameters",
    ):
        assert word in text
    assert sorted(path.name for path in config.parent.iterdir()) == ["tiny.toml"]


@pytest.mark.parametrize(
    ("text", "arguments", "code", "words"),
    [
        (CONFIG, [], 2, ["--data"]),
        (CONFIG, ["--data", "absent"], 3, ["no training data at absent"]),
        (CONFIG, ["--data", "{corpus}", "--jobs", "0"], 2, ["--jobs"]),
        (CONFIG, ["--data", "{corpus}", "--out", "tiny.toml/run"], 3, ["cannot write tiny.toml/run"]),
        (CONFIG.replace("epochs = 2", "epohcs = 2"), ["--data", "{corpus}"], 2, ["tiny.toml", "optimizer.epohcs"]),
        ("name = ", ["--data", "{corpus}"], 3, ["cannot read tiny.toml"]),
        ('name = "x"\nnet = {init = "reference"}', ["--data", "{corpus}"], 2, ["reference net", "--reference"]),
        (
            'name = "x"\nreference = "ref.npz"\nnet = {init = "reference"}',
            ["--data", "{corpus}"],
            3,
            ["cannot read", "ref.npz"],
        ),
        (
            'name = "x"\nloss = {teachers = ["resnet-thim"], teacher_weight = 1.0}',
            ["--data", "{corpus}"],
            2,
            ["unknown model 'resnet-thim'"],
        ),
    ],
)
def test_errors_are_told_in_words(
    train: Callable[..., Answer],
    corpus: Path,
    config: Path,
    text: str,
    arguments: list[str],
    code: int,
    words: list[str],
) -> None:
    config.write_text(text)
    result = train("tiny.toml", *(argument.format(corpus=corpus) for argument in arguments), "--json")
    assert result.returncode == code, result.stderr
    assert json.loads(result.stdout)["error"]["exit_code"] == code and "Traceback" not in result.stderr
    assert all(word in result.stderr for word in ["error: ", *words])


def test_a_broken_recording_is_named(train: Callable[..., Answer], config: Path, tmp_path: Path) -> None:
    broken = make_corpus(tmp_path / "broken")
    (broken / "s1" / "r0.wav").write_bytes(b"RIFF....")
    result = train(config, "--data", broken, "--jobs", 1)
    assert result.returncode == 3
    assert "s1/r0.wav" in result.stderr and "Traceback" not in result.stderr


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def start(corpus: Path, config: Path, folder: Path) -> subprocess.Popen[str]:
    arguments = ["train", config, "--data", corpus, "--out", folder / "run", "--jobs", 2]
    return subprocess.Popen(
        [sys.executable, "-m", "edge_sv", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])},
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen[str], reached: Callable[[], bool]) -> Answer:
    """Press Ctrl-C once the run has got somewhere: as from a terminal, every process of the group gets the signal."""
    deadline = time.monotonic() + 300
    while not reached():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    deadline = time.monotonic() + 60
    while living := group_members(process.pid):
        assert time.monotonic() < deadline, f"still running: {living}"
        time.sleep(0.05)
    return Answer(process.returncode, stdout, stderr)


def group_members(group: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            members.append(int(folder.name))
    return members


def test_ctrl_c_while_features_are_made(corpus: Path, config: Path, tmp_path: Path) -> None:
    process = start(corpus, config, tmp_path)
    result = interrupt(process, lambda: any((tmp_path / "cache").glob(".bank-*")))
    assert result.returncode == 130, result.stderr
    assert result.stderr.splitlines() == [
        f"training tiny in {tmp_path / 'run'}",
        f"stopped; {tmp_path / 'run'} keeps 0 of 2 epochs, and the same command goes on from there",
        "error: interrupted",
    ]
    assert result.stdout == "" and list((tmp_path / "cache").iterdir()) == []


def test_ctrl_c_between_epochs(corpus: Path, config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace("epochs = 2", "epochs = 500"))
    result = interrupt(start(corpus, config, tmp_path), (tmp_path / "run" / "history.csv").is_file)
    assert result.returncode == 130, result.stderr
    kept = len((tmp_path / "run" / "history.csv").read_text().splitlines()) - 1
    lines = result.stderr.splitlines()
    assert f"training tiny in {tmp_path / 'run'}" in lines
    assert f"{tmp_path / 'run'} keeps {kept} of 500 epochs" in lines[-2]
    assert lines[-1] == "error: interrupted"
    assert sum(line.startswith("epoch ") for line in lines) in (kept, kept - 1)
    assert (tmp_path / "run" / "state.npz").is_file() and result.stdout == ""
