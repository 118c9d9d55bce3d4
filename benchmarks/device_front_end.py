"""What the device's front end costs: accuracy against the desktop's, instructions and memory on emulated cores.

    python benchmarks/device_front_end.py [--model resnet-nano] [--lists libri sc12] [--starts 8]
                                          [--boards mps2-an386 ...] [--json]

Accuracy: the net runs in LiteRT on every recording of the test lists, with the desktop's front end and with the Python
twins of the device's two paths, which have the C code's bits. Beside the error rates stands how many steps of the net's
int8 input a value is off. An input that differs in a single value gives the int8 net other roundings throughout, which
alone moves an error rate by some percent. So every recording is taken from several starts, 37 samples apart, the error
rates are means over them, and one row tells what chance does: `chance` is the desktop's front end with one value of
1,024 a step off. Needs the speech corpora (EDGE_SV_DATA); skipped without them.

Instructions: counted in QEMU over a bundled recording, per second of audio. Needs QEMU and arm-none-eabi-gcc.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import open_artifact
from edge_sv.embedders.litert import LiteRTEmbedder
from edge_sv.emulation import build_program, load_board, run_program
from edge_sv.errors import ToolMissing
from edge_sv.evaluation.evaluate import embed_recordings, score_list
from edge_sv.frontend.constants import features_source
from edge_sv.frontend.features import compute_features
from edge_sv.frontend.on_device import device_frames
from edge_sv.frontend.segments import embed_features
from edge_sv.scoring import metrics
from edge_sv.scoring.trials import find_recordings, read_trials
from edge_sv.system.array_types import Float32, Int8, Int16
from edge_sv.system.bundled import assets_dir
from edge_sv.tflite.quantization import TensorFormat

REPOSITORY = Path(__file__).resolve().parent.parent
COMMON = REPOSITORY / "targets" / "common"
PROGRAM = REPOSITORY / "tests" / "firmware" / "features_program.c"
BOARDS = ("microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
SECONDS = 2
PATHS = {"float": False, "fixed": True}


@dataclass(frozen=True)
class Accuracy:
    """What a front end does to a list. Rates are fractions, eer_change is relative to the desktop's."""

    trial_list: str
    path: str
    eer: float
    eer_change: float
    eer_change_error: float
    score_change: float
    beyond_one_step: float
    differing: float


@dataclass(frozen=True)
class Cost:
    """What a path takes on a core: per second of audio, and in bytes. Flash: code, tables, and the C library's part."""

    board: str
    cpu: str
    path: str
    instructions: int
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int


class StudiedEmbedder(LiteRTEmbedder):
    """The net in LiteRT behind one of the front ends; counts how far its int8 input is from the desktop's."""

    def __init__(self, artifact: ModelArtifact, *, path: str, start: int) -> None:
        super().__init__(artifact)
        self.path, self.start = path, start
        self.distances = np.zeros(256, np.int64)
        self.random = np.random.default_rng(start)

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording without its first samples."""
        pcm = pcm[self.start :]
        desktop = self.input.quantize(compute_features(pcm, self.features))
        if self.path in PATHS:
            frames = device_frames(pcm, self.features, self.input, fixed=PATHS[self.path])
        else:
            off = (self.random.random(desktop.shape) < 1 / 1024) & (self.path == "chance")
            frames = np.where(off & (desktop < 127), desktop + 1, desktop).astype(np.int8)
        self.distances += np.bincount(np.abs(frames.astype(int) - desktop).ravel(), minlength=256)
        return embed_features(frames, self.segments, self._run_frames)

    def _run_frames(self, segments: Int8) -> Float32:
        return self.output.dequantize(np.stack([self.invoke(segment) for segment in segments]))


def measure_accuracy(model: str, folder: Path, name: str, *, starts: int) -> Iterator[Accuracy]:
    """Score a list with every front end, by cosine."""
    trials = read_trials(folder / name / "trials_test.txt")
    utterances = folder / name / "utterances.csv"
    if utterances.exists():
        recordings = find_recordings(trials, folder / name, utterances=utterances)
    else:
        recordings = find_recordings(trials, folder / name)
    artifact = open_artifact(model)
    scores: dict[str, np.ndarray] = {}
    for path in ("desktop", "chance", *PATHS):
        embedders = [StudiedEmbedder(artifact, path=path, start=37 * start) for start in range(starts)]
        scores[path] = np.stack([score_list(trials, embed_recordings(one, recordings.files)) for one in embedders])
        distances = sum(one.distances for one in embedders) / sum(one.distances.sum() for one in embedders)
        eers, before = (np.array([metrics.eer(s, trials.labels) for s in scores[p]]) for p in (path, "desktop"))
        yield Accuracy(
            trial_list=name,
            path=path,
            eer=float(eers.mean()),
            eer_change=float(eers.mean() / before.mean() - 1),
            eer_change_error=float((eers - before).std(ddof=1) / np.sqrt(starts) / before.mean()) if starts > 1 else 0,
            score_change=float(np.abs(scores[path] - scores["desktop"]).mean()),
            beyond_one_step=float(distances[2:].sum()),
            differing=float(distances[1:].sum()),
        )


def measure_cost(model: str, board_name: str, *, fixed: bool) -> Cost:
    """Run the C code on an emulated board; its frames must be the twin's."""
    artifact = open_artifact(model)
    grid: TensorFormat = LiteRTEmbedder(artifact).input
    board = load_board(board_name)
    pcm = read_recording(sorted((assets_dir() / "voices").glob("*.flac"))[0])[: SECONDS * artifact.features.sample_rate]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tables.c").write_text(features_source(artifact.features, grid, prefix="test"))
        (folder / "in.pcm").write_bytes(pcm.tobytes())
        program = build_program(
            [*(COMMON / "src").glob("esv_features*.c"), *(COMMON / "src").glob("esv_fft*.c"), folder / "tables.c"],
            [COMMON / "include"],
            board,
            folder=folder,
            main=[PROGRAM],
            defines={"ESV_FEATURES_FIXED": int(fixed)},
            stack_bytes=4096,
        )
        done = run_program(program, arguments=["in.pcm", "out.frames"], folder=folder)
        frames = np.frombuffer((folder / "out.frames").read_bytes(), np.int8).reshape(-1, artifact.features.num_mels)
    np.testing.assert_array_equal(frames, device_frames(pcm, artifact.features, grid, fixed=fixed))
    config = artifact.features
    return Cost(
        board=board_name,
        cpu=board.target.cpu or "",
        path="fixed" if fixed else "float",
        instructions=round(int(done.output) / SECONDS),
        flash_bytes=done.flash_bytes,
        ram_bytes=4 * config.fft_size + 4 * config.num_mels + 2 * (config.window_length + 8),
        stack_bytes=done.stack_bytes,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet-nano", help="a bundled net's name, a folder or a file")
    parser.add_argument("--lists", nargs="*", default=["libri", "sc12"], help="folders of the corpora")
    parser.add_argument("--starts", type=int, default=8, help="starts that each recording is taken from")
    parser.add_argument("--boards", nargs="*", default=BOARDS, help="emulated boards")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    options = parser.parse_args()
    folder = Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    accuracies: list[Accuracy] = []
    if (folder / "index.csv").is_file():
        for name in options.lists:
            accuracies += measure_accuracy(options.model, folder, name, starts=options.starts)
    else:
        sys.stderr.write(f"no speech corpora at {folder}: accuracy is not measured; set EDGE_SV_DATA\n")
    costs: list[Cost] = []
    try:
        for board in options.boards:
            paths = ["fixed", "float"] if load_board(board).target.fpu else ["fixed"]
            costs += [measure_cost(options.model, board, fixed=PATHS[path]) for path in paths]
    except ToolMissing as error:
        sys.stderr.write(f"{error}\n")
    if options.json:
        rows = {"accuracy": [asdict(row) for row in accuracies], "cost": [asdict(row) for row in costs]}
        json.dump({"schema_version": 1, "model": options.model, **rows}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    sys.stdout.write(table(accuracies, costs))


def table(accuracies: list[Accuracy], costs: list[Cost]) -> str:
    """Lay the figures out in columns."""
    lines = [
        f"{'list':<8}{'path':<9}{'EER':>7}{'relative':>10}{'+-':>7}{'|score|':>10}{'> 1 step':>11}{'> 0 steps':>11}"
    ]
    lines += [
        f"{row.trial_list:<8}{row.path:<9}{row.eer:>7.3%}{row.eer_change:>+10.2%}{row.eer_change_error:>7.2%}"
        f"{row.score_change:>10.4f}{row.beyond_one_step:>11.5%}{row.differing:>11.4%}"
        for row in accuracies
    ]
    lines += ["", f"{'board':<14}{'core':<14}{'path':<7}{'instructions/s':>15}{'flash':>8}{'RAM':>7}{'stack':>7}"]
    lines += [
        f"{row.board:<14}{row.cpu:<14}{row.path:<7}{row.instructions:>15,}{row.flash_bytes:>8,}{row.ram_bytes:>7,}"
        f"{row.stack_bytes:>7,}"
        for row in costs
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
