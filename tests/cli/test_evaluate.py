"""`edge-sv evaluate` as a user runs it, on the bundled voices and on real speech."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_sv.cli.app import main
from edge_sv.cli.evaluate import command
from edge_sv.system.bundled import assets_dir

VOICES = assets_dir() / "voices"
MODEL = assets_dir() / "resnet-nano"

pytestmark = pytest.mark.skipif(not (MODEL / "net.json").is_file(), reason=f"no bundled net at {MODEL}")


def run(*args: object, cache: Path, cwd: Path | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_sv", "evaluate", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=environment(cache),
    )


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path) -> Callable[..., Answer]:
    """Run the command in this process, which saves the imports."""

    def run_here(*args: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["edge-sv", "evaluate", *map(str, args)])
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Answer(ended.value.code, written.out, written.err)

    return run_here


class Answer(NamedTuple):
    """What a command said."""

    returncode: object
    stdout: str
    stderr: str


def environment(cache: Path) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, f"{root}/converters", os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of utterances that join one, two or three recordings of a bundled voice."""
    folder = tmp_path_factory.mktemp("lists")
    rows = []
    for voice in sorted({path.name.split("_")[0] for path in VOICES.glob("*.flac")}):
        files = sorted(path.name for path in VOICES.glob(f"{voice}_*.flac"))
        joined = [chosen for n in (1, 2, 3) for chosen in itertools.permutations(files, n)]
        rows += [(f"{voice}-{i}", voice, "|".join(names)) for i, names in enumerate(joined)]
    with (folder / "utterances.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("utt_id", "speaker", "files"), *rows])
    pairs = [(int(a[1] == b[1]), a[0], b[0]) for a, b in itertools.combinations(rows, 2)]
    (folder / "trials.txt").write_text("".join(f"{label} {a} {b}\n" for label, a, b in pairs))
    return folder


@pytest.fixture(scope="module")
def options(lists: Path) -> list[object]:
    return ["--trials", lists / "trials.txt", "--audio", VOICES, "--utterances", lists / "utterances.csv"]


def test_json_is_all_of_stdout(options: list[object], cache: Path) -> None:
    result = run(MODEL, *options, "--json", cache=cache)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert 0 <= document["eer_ci"][0] <= document["eer"] <= document["eer_ci"][1] <= 1
    assert set(document["min_dcf"]) == {"0.01", "0.05"} and document["cllr"] > document["min_cllr"] >= 0
    assert document["speakers"] == 4 and document["trials"] > document["targets"] > 0
    assert document["threshold_source"] == "model"
    assert json.loads(run(MODEL, *options, "--json", "--no-cache", "--jobs", 1, cache=cache).stdout) == document


def test_a_table_for_people(options: list[object], here: Callable[..., Answer]) -> None:
    result = here(MODEL, *options)
    assert result.returncode == 0, result.stderr
    for word in ("EER", "minDCF(0.01)", "Cllr", "95 %:", "the model's", "false accepts", "4 speakers"):
        assert word in result.stdout


def test_scores_and_plot_are_written(options: list[object], here: Callable[..., Answer], tmp_path: Path) -> None:
    scores, plot = tmp_path / "new" / "scores.csv", tmp_path / "det.svg"
    result = here(MODEL, *options, "--scores", scores, "--plot", plot, "--json")
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(scores.read_text().splitlines()))
    document = json.loads(result.stdout)
    assert len(rows) == document["trials"]
    accepted = [row for row in rows if row["label"] == "0" and float(row["score"]) >= document["threshold"]]
    others = document["trials"] - document["targets"]
    assert len(accepted) / others == pytest.approx(document["false_accept_rate"], abs=2 / others)
    first = plot.read_bytes()
    assert first.startswith(b"<?xml")
    assert here(MODEL, *options, "--plot", plot).returncode == 0
    assert plot.read_bytes() == first


def test_runtimes_agree(here: Callable[..., Answer], tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]'")
    (tmp_path / "short.txt").write_text("1 ada_1.flac ada_2.flac\n0 ada_1.flac bea_1.flac\n0 bea_1.flac carl_1.flac\n")
    arguments = [MODEL, "--trials", tmp_path / "short.txt", "--audio", VOICES]
    scores = []
    for runtime in ("tflite", "tflm"):
        path = tmp_path / f"{runtime}.csv"
        assert here(*arguments, "--scores", path, "--runtime", runtime).returncode == 0
        scores.append([float(row["score"]) for row in csv.DictReader(path.read_text().splitlines())])
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"--trials": "absent.txt"}, 3, ["absent.txt"]),
        ({"--trials": "bad.txt"}, 3, ["bad.txt, line 2", "label must be 1"]),
        ({"--utterances": None}, 3, ["files of the trial list are missing", "--utterances"]),
        ({"--audio": None, "--utterances": None}, 2, ["--audio"]),
        ({"--scoring": "plda"}, 2, ["unknown scoring 'plda'", "cosine"]),
        ({"--runtime": "tflmm"}, 2, ["unknown runtime 'tflmm'", "did you mean 'tflm'"]),
        ({"--noise": "."}, 3, ["metadata.csv"]),
        ({"--scores": "/proc/no/scores.csv"}, 3, ["cannot write /proc/no/scores.csv"]),
    ],
)
def test_errors_are_told_in_words(
    options: list[object],
    here: Callable[..., Answer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    code: int,
    words: list[str],
) -> None:
    (tmp_path / "bad.txt").write_text("1 a b\nmaybe a c\n")
    monkeypatch.chdir(tmp_path)
    merged = {**dict(zip(options[::2], options[1::2], strict=True)), **change}
    arguments = [part for name, value in merged.items() if value is not None for part in (name, value)]
    result = here(MODEL, *arguments, "--json")
    assert result.returncode == code, result.stderr
    assert json.loads(result.stdout)["error"]["exit_code"] == code and "Traceback" not in result.stderr
    assert all(word in result.stderr for word in ["error: ", *words])


def test_unknown_model_is_named(options: list[object], here: Callable[..., Answer]) -> None:
    result = here("resnet-nanu", *options)
    assert result.returncode == 2 and "did you mean 'resnet-nano'?" in result.stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted_and_resumed(options: list[object], cache: Path, tmp_path: Path, jobs: int) -> None:
    arguments = [MODEL, *options, "--json", "--jobs", jobs]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_sv", "evaluate", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
        start_new_session=True,
    )
    wait_for_embeddings(tmp_path, 3, process)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: every process of the group gets it
    stdout, stderr = process.communicate(timeout=60)
    kept = count_embeddings(tmp_path)
    assert process.returncode == 130, stderr
    assert json.loads(stdout)["error"]["kind"] == "interrupted"
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert kept >= 3
    resumed = run(*arguments, cache=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == run(*arguments, cache=cache).stdout
    assert count_embeddings(tmp_path) > kept


def count_embeddings(cache: Path) -> int:
    path = cache / "edge-sv" / "embeddings.sqlite"
    if not path.is_file():
        return 0
    try:
        return int(sqlite3.connect(path).execute("SELECT count(*) FROM embeddings").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for_embeddings(cache: Path, wanted: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while count_embeddings(cache) < wanted:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.01)


def test_the_examples_in_the_help_run(
    speech_data: Path, here: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (command.__doc__ or "").split("Examples:")[1]
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("edge-sv evaluate")]
    assert len(examples) == 4
    for name, folder in (("so762", "so762"), ("sc12", "sc12"), ("wav", "libri")):
        link_with_short_list(speech_data / folder, tmp_path / name)
    (tmp_path / "noise").symlink_to(speech_data / "noise")
    (tmp_path / "list.txt").symlink_to(tmp_path / "wav" / "trials_test.txt")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "package").symlink_to(MODEL / "static_wi8_ai8")
    monkeypatch.chdir(tmp_path)
    for example in examples:
        result = here(*shlex.split(example)[2:])
        assert result.returncode == 0, f"{example}\n{result.stderr}"
    assert (tmp_path / "det.svg").is_file()


def link_with_short_list(corpus: Path, place: Path) -> None:
    """Make a corpus whose test list has two target and four non-target trials."""
    place.mkdir()
    for path in corpus.iterdir():
        if path.name != "trials_test.txt":
            (place / path.name).symlink_to(path)
    lines = (corpus / "trials_test.txt").read_text().splitlines()
    chosen = [line for line in lines if line[0] == "1"][:2] + [line for line in lines if line[0] == "0"][:4]
    (place / "trials_test.txt").write_text("\n".join(chosen))


def test_noise_makes_real_speech_harder(speech_data: Path, here: Callable[..., Answer]) -> None:
    folder = speech_data / "libri"
    arguments = [MODEL, "--trials", folder / "trials_test.txt", "--audio", folder, "--json"]
    clean = json.loads(here(*arguments).stdout)
    noisy = json.loads(here(*arguments, "--noise", speech_data / "noise", "--snr", 0, 5).stdout)
    assert noisy["eer"] > clean["eer"]
    assert clean["recordings"] == noisy["recordings"] == 100
