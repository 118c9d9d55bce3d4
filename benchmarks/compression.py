"""The bundled nets under every compression recipe: bytes in flash, and EER on unseen speakers of the converted model.

    python benchmarks/compression.py [--nets resnet-nano] [--recipes palette_w4_ai8]
    python benchmarks/compression_table.py

Every recipe starts from the same float net and gets the same number of fine-tuning steps. A net is compressed and
converted as by `edge-sv convert`; TensorFlow Lite Micro must compute it bit for bit as the reference kernels do; then
LiteRT runs it over the test lists. The float nets run in Keras. What is finished is kept, so the command can be
interrupted, and several of them may work on different nets. Needs the speech corpora (EDGE_SV_DATA) and hours.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from compression_results import REPOSITORY, Result, read_results, write_result
from compression_table import FLOAT, METHODS, NETS, POOLED

from edge_sv.artifacts.artifact import ARTIFACT_FILE, ModelArtifact, load_artifact, save_artifact
from edge_sv.artifacts.net import NET_FILE, WEIGHTS_FILE, is_net, net_sha256
from edge_sv.cli.output import err_console, progress_bar
from edge_sv.embedders import Embedder, KerasEmbedder, LiteRTEmbedder
from edge_sv.errors import DataError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import Evaluation, compute_evaluation, embed_recordings, score_list
from edge_sv.pipeline.check_conversion import check_bit_exact
from edge_sv.pipeline.compress import compress_stage
from edge_sv.pipeline.convert import convert_stage
from edge_sv.pipeline.request import conversion_request
from edge_sv.pipeline.stage import run_stages
from edge_sv.plugins.converter import find_converter
from edge_sv.plugins.generator import find_generator
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.scoring.speech_sample import check_sample
from edge_sv.scoring.trials import TrialList, find_recordings, read_trials
from edge_sv.system.array_types import Float32
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import write_atomic
from edge_sv.system.packed import read_file
from edge_sv.system.stage_cache import StageCache

WORK = REPOSITORY / "build" / "compression"
OWN_RECIPES = {"sign_w1_ai8": str(REPOSITORY / "benchmarks/configs/sign_w1_ai8.toml")}
"""Recipes that are no product of this package, only something to compare with."""
CORPORA = ("so762", "sc12", "dsp20", "libri")
SUBSETS = {"dsp20 zh": "trials_test_zh.txt", "dsp20 x": "trials_test_x.txt"}


def main(
    nets: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(NETS),
    recipes: Annotated[str, typer.Option(help="Comma-separated; float is the net itself.")] = ",".join(METHODS),
    data: Annotated[Path | None, typer.Option(help="Folder of the corpora; default: EDGE_SV_DATA.")] = None,
    work: Annotated[Path, typer.Option(help="Keeps compressed nets and embeddings.")] = WORK,
    jobs: Annotated[int | None, typer.Option(help="Worker processes for embeddings; default: one a core.")] = None,
) -> None:
    """Fine-tune, convert and evaluate; rows for each net and recipe in one csv file."""
    folder = data or Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "index.csv").is_file():
        err_console().print(f"no speech corpora at {folder}: set EDGE_SV_DATA")
        raise typer.Exit(3)
    with closing(EmbeddingCache(work / "embeddings")) as cache:
        for recipe in recipes.split(","):
            for net in nets.split(","):
                run_cell(net, recipe, folder, work=work, cache=cache, jobs=jobs)


def run_cell(net: str, recipe: str, data: Path, *, work: Path, cache: EmbeddingCache, jobs: int | None) -> None:
    """Make one net's result under one recipe, unless it is there."""
    source = work / net
    copy_net(assets_dir() / net, source)
    artifact = None if recipe == FLOAT else convert(source, recipe, data / "index.csv", work)
    identity = net_sha256(source) if artifact is None else artifact.sha256
    if read_results().get((net, recipe), {}).get("identity") == identity:
        return
    open_net: Callable[[], Embedder] = (
        functools.partial(KerasEmbedder, source) if artifact is None else functools.partial(LiteRTEmbedder, artifact)
    )
    with progress_bar() as bar:
        task = bar.add_task(f"{net} {recipe}")
        lists = evaluate(open_net, data, cache, jobs, lambda done, total: bar.update(task, completed=done, total=total))
    sizes = float_bytes(source) if artifact is None else model_bytes(artifact)
    write_result({"net": net, "recipe": recipe, "identity": identity, "bytes": sizes, "lists": lists})


def copy_net(bundled: Path, place: Path) -> None:
    """Copy a float net to where its compressed forms go; the folder of assets stays as it is.

    Raises:
        DataError: another net is there.
    """
    if is_net(place):
        if net_sha256(place) != net_sha256(bundled):
            raise DataError(f"{place} holds another net than {bundled}", hint="remove the folder: the net has changed")
        return
    for name in (WEIGHTS_FILE, NET_FILE):
        write_atomic(place / name, read_file(bundled / name))


def convert(net: Path, recipe: str, index: Path, work: Path) -> ModelArtifact:
    """Compress and convert a net unless that was done before; compare TensorFlow Lite Micro bit for bit.

    The pipeline's first two stages; its check is left out, because a recipe that loses too much is a result here.

    Raises:
        AccuracyGateFailed: TensorFlow Lite Micro computes something else than the reference kernels.
    """
    request = conversion_request(net, recipe=OWN_RECIPES.get(recipe, recipe), data=index, work=work / "stages")
    stages, place = (compress_stage(request), convert_stage(request)), net / recipe
    results, _ = run_stages(stages, None, StageCache(request.work))
    artifact: ModelArtifact = results[-1].artifact
    if not (place / ARTIFACT_FILE).is_file() or load_artifact(place).sha256 != artifact.sha256:
        check_bit_exact(artifact, check_sample(index))
        save_artifact(place, artifact)
    return load_artifact(place)


def evaluate(
    embedder: Callable[[], Embedder],
    data: Path,
    cache: EmbeddingCache,
    jobs: int | None,
    progress: Callable[[int, int], None],
) -> dict[str, Result]:
    """Score every test list, parts of lists, and all lists together under one threshold."""
    lists: dict[str, Result] = {}
    parts: list[tuple[str, TrialList, Float32]] = []
    everyone: dict[str, str] = {}
    for corpus in CORPORA:
        folder = data / corpus
        trials, table = read_trials(folder / "trials_test.txt"), folder / "utterances.csv"
        recordings = find_recordings(trials, folder, utterances=table if table.is_file() else None)
        embeddings = embed_recordings(embedder, recordings.files, cache=cache, jobs=jobs, progress=progress)
        scores = score_list(trials, embeddings)
        parts.append((corpus, trials, scores))
        everyone |= {f"{corpus}/{name}": f"{corpus}/{who}" for name, who in recordings.speakers.items()}
        lists[corpus] = figures(compute_evaluation(scores, trials, recordings.speakers))
        for name, file in SUBSETS.items() if corpus == "dsp20" else ():
            subset = read_trials(folder / file)
            lists[name] = figures(compute_evaluation(score_list(subset, embeddings), subset, recordings.speakers))
    pooled = TrialList(
        tuple(
            type(trial)(trial.label, f"{corpus}/{trial.enroll}", f"{corpus}/{trial.test}")
            for corpus, trials, _ in parts
            for trial in trials
        )
    )
    lists[POOLED] = figures(compute_evaluation(np.concatenate([scores for *_, scores in parts]), pooled, everyone))
    return lists


def figures(judged: Evaluation) -> Result:
    """Return what the table needs of an evaluation, fractions."""
    return {"eer": judged.eer, "eer_ci": judged.eer_ci, "trials": judged.trials}


def float_bytes(net: Path) -> dict[str, int]:
    """Return the float net's size as a .tflite, `tflite`; four bytes a weight also in C."""
    size = len(find_converter("tflite").convert_float(net))
    return {"tflite": size}


def model_bytes(artifact: ModelArtifact) -> dict[str, int]:
    """Return bytes in flash: `tflite`; `tflm`, with lookup tables where they gain; `c`, constants of generated C."""
    generated = find_generator("c_source").generate(
        artifact.model, prefix="net", banner="measured", speaker=True, plan=None
    )
    tables = compress_tables(artifact.model)
    packed = len(tables.model) if tables else len(artifact.model)
    return {"tflite": len(artifact.model), "tflm": packed, "c": generated.constant_bytes}


if __name__ == "__main__":
    typer.run(main)
