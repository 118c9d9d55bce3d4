"""From a float net and real speech to a converted model that was checked and knows its threshold."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_sv.artifacts.activation_ranges import RANGES_FILE
from edge_sv.artifacts.artifact import COMPRESSED_DIR, ModelArtifact, net_sha256, save_artifact
from edge_sv.artifacts.palette import PALETTES_FILE
from edge_sv.embedders import KerasEmbedder, LiteRTEmbedder, find_model
from edge_sv.errors import DataError, UsageError
from edge_sv.evaluation.evaluate import embed_recordings, score_list
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.pipeline.check_conversion import CheckReport, CheckSet, Steps, check_artifact, compare_with_float
from edge_sv.plugins.converter import Calibration, Converter, calibrate, find_converter
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.recipe import CONVERTER_BITS, DEFAULT_RECIPE, CompressionRecipe, load_recipe
from edge_sv.scoring.metrics import eer, threshold_at_far
from edge_sv.scoring.scores import Cohort, Scoring, ScoringKind
from edge_sv.scoring.speech_index import SpeechFile, development_list, read_index, sample_speech, training_speakers
from edge_sv.scoring.trials import TrialList
from edge_sv.system.array_types import Float32
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import write_atomic
from edge_sv.system.native_log import held_native_log
from edge_sv.system.stage_cache import default_work_folder

CALIBRATION_RECORDINGS = 256
COHORT_RECORDINGS = 8
"""Recordings of each training speaker that its mean embedding is made of."""
CHECK_RECORDINGS = 64
"""Recordings of the check set when the data has no development list."""
FALSE_ACCEPT_RATE = 0.01
TOP_N = 100
NET_FILES = ("net.json", "weights.npz", PALETTES_FILE, RANGES_FILE)


def compress_with_data(
    net: Path,
    recipe: str,
    index: Path | None,
    *,
    run: Path,
    out: Path,
    budget: int | None = None,
    steps: Steps | None = None,
) -> None:
    """Compress a float net, trained on the data's training speakers.

    Args:
        net: the float net's folder.
        recipe: a bundled recipe's name or a file.
        index: table of speech files; not needed by a recipe without fine-tuning.
        run: folder of the training, gone at the end; an interrupted one goes on from there.
        out: folder that gets the compressed net.
        budget: bytes of all weights, for a recipe that chooses widths; None: the recipe's own.
        steps: reports what is being done.

    Raises:
        UsageError: a rule matches no layer, there is no data to train with, or a budget that no plan keeps.
        DataError: the net or the data cannot be used.
    """
    with held_native_log():
        from edge_sv.models.checkpoint import load_description
        from edge_sv.training.compress_net import compress_net
    if index is not None:  # speech that cannot calibrate the net is refused here, not after its training
        description = load_description(net)
        _calibration(description.features, description.segments, index)
    compress_net(
        net,
        recipe,
        data=index,
        out=run,
        origin=net_sha256(net),
        open_teacher=KerasEmbedder,
        find_net=find_model,
        cache=_training_cache(),
        jobs=len(os.sched_getaffinity(0)),
        budget=budget,
        progress=_bars(steps),
    )
    out.mkdir(parents=True, exist_ok=True)
    for name in NET_FILES:
        if (run / name).is_file():
            write_atomic(out / name, (run / name).read_bytes())
    shutil.rmtree(run)


def allocate_bits_with_data(
    net: Path, recipe: CompressionRecipe, index: Path | None, *, steps: Steps | None = None
) -> BitAllocation:
    """Plan the widths of a float net's layers; what compressing finds out later is kept, and what it found is used.

    Args:
        net: the float net's folder.
        recipe: one that chooses widths.
        index: table of speech files; None: the bundled synthetic voices.
        steps: reports what is being done.

    Raises:
        UsageError: a rule matches no layer, or a budget that no plan keeps.
        DataError: the net or the data cannot be used.
    """
    with held_native_log():
        from edge_sv.training.bit_widths import find_bit_allocation
    return find_bit_allocation(net, recipe, data=index, cache=_training_cache(), progress=_bars(steps))


def _training_cache() -> Path:
    return default_work_folder().parent / "training"


def _bars(steps: Steps | None) -> Callable[[int, int, str], None]:
    """Show what training reports as one bar for each kind of step."""
    bars: dict[str, Callable[[int, int], None]] = {}

    def progress(done: int, total: int, what: str) -> None:
        kind = what.split()[0]
        if steps and kind not in bars:
            bars[kind] = steps(what)
        if kind in bars:
            bars[kind](done, total)

    return progress


def convert_with_data(converter: Converter, net: Path, recipe: str, index: Path) -> ModelArtifact:
    """Convert a float net, calibrated on training speakers' recordings.

    Args:
        converter: the plug-in.
        net: the float net's folder.
        recipe: its compression.
        index: table of speech files.

    Raises:
        DataError: the net or the data cannot be used.
        UsageError: unknown recipe.
    """
    with held_native_log():
        from edge_sv.models.checkpoint import load_description
    description = load_description(net)
    return converter.convert(net, recipe, _calibration(description.features, description.segments, index))


def _calibration(features: FeatureConfig, segments: SegmentRule, index: Path) -> Calibration:
    """Cut calibration segments out of training speakers' recordings."""
    shortest = features.window_length + (segments.frames - 1) * features.hop_length
    recordings = sample_speech(
        read_index(index), count=CALIBRATION_RECORDINGS, min_samples=shortest, sample_rate=features.sample_rate
    )
    return calibrate(recordings, features, segments, source="training speakers of the data")


def check_set(index: Path | None) -> CheckSet:
    """Choose the recordings that a conversion is checked with.

    Args:
        index: table of speech files; its development lists, else up to 64 files that were not trained on. None: the
            bundled synthetic voices.
    """
    if index is None:
        voices = sorted((assets_dir() / "voices").glob("*.flac"))
        return CheckSet({path.stem: (path,) for path in voices}, None, "bundled synthetic voices")
    files = read_index(index)
    development = development_list(index, files)
    if development is not None:
        return CheckSet(development.files, development.trials, "development lists of the data")
    held_out = [file.path for file in files if file.split != "train"] or [file.path for file in files]
    chosen = held_out[:: -(-len(held_out) // CHECK_RECORDINGS)]
    return CheckSet({str(path.relative_to(index.parent)): (path,) for path in chosen}, None, "recordings of the data")


def convert_net(
    net: Path,
    *,
    index: Path,
    out: Path,
    recipe: str = DEFAULT_RECIPE,
    budget: int | None = None,
    scoring: ScoringKind = "cosine",
    false_accept_rate: float = FALSE_ACCEPT_RATE,
    steps: Steps | None = None,
) -> tuple[ModelArtifact, CheckReport]:
    """Convert a float net, check it, set its threshold and write the artifact's folder.

    A recipe that compresses first writes the compressed net into `compressed/<recipe>` of the float net's folder.

    The threshold accepts `false_accept_rate` of the non-target trials of the pooled development lists, scored as the
    device scores them. The cohort is the mean embedding of each training speaker.

    Args:
        net: the float net's folder.
        index: table of speech files with development lists beside it.
        out: where the artifact goes.
        recipe: its compression.
        budget: bytes of all weights, for a recipe that chooses widths; None: the recipe's own.
        scoring: the default scoring; the EERs of both kinds are written into the artifact.
        false_accept_rate: of the threshold.
        steps: reports what is being done.

    Raises:
        AccuracyGateFailed: the converted model does not compute what the net computes.
        DataError: the net or the data cannot be used.
        UsageError: impossible false-accept rate, unknown recipe.
    """
    if not 0 < false_accept_rate < 1:
        raise UsageError(f"a false-accept rate lies between 0 and 1, got {false_accept_rate}")
    data = check_set(index)
    if data.trials is None:
        raise DataError(f"{index} has no development list beside it", details={"missing": "<corpus>/trials_dev.txt"})
    converter = find_converter("tflite")
    source, plan = net, load_recipe(recipe).with_budget(budget)
    if plan.compresses:
        source = net / COMPRESSED_DIR / plan.name
        compress_with_data(net, recipe, index, run=source.with_suffix(".run"), out=source, budget=budget, steps=steps)
    artifact = convert_with_data(converter, source, recipe, index)
    report = check_artifact(
        artifact,
        source,
        data,
        float_model=lambda: converter.convert_float(source),
        micro=plan.activation_bits == CONVERTER_BITS,
        steps=steps,
    )
    if plan.compresses:
        report = compare_with_float(report, net, data, steps=steps)
    artifact = set_scoring(
        artifact, report, data, index, kind=scoring, false_accept_rate=false_accept_rate, steps=steps
    )
    save_artifact(out, artifact)
    return artifact, report


def set_scoring(
    artifact: ModelArtifact,
    report: CheckReport,
    data: CheckSet,
    index: Path,
    *,
    kind: ScoringKind = "cosine",
    false_accept_rate: float = FALSE_ACCEPT_RATE,
    steps: Steps | None = None,
) -> ModelArtifact:
    """Give a checked artifact its threshold, its cohort and the check's figures.

    Without a development list the artifact gets the figures alone.

    Raises:
        DataError: a recording of the data cannot be used.
    """
    provenance = {**artifact.provenance, "check": report.to_dict()}
    if data.trials is None:
        return replace(artifact, provenance=provenance)
    cohort = make_cohort(artifact, read_index(index), steps=steps)
    scoring, development = choose_scoring(data.trials, report.embeddings, cohort, kind, false_accept_rate)
    return replace(artifact, scoring=scoring, cohort=cohort, provenance={**provenance, "development": development})


def make_cohort(artifact: ModelArtifact, files: list[SpeechFile], *, steps: Steps | None = None) -> Cohort:
    """Embed up to 8 recordings, evenly chosen, of each training speaker and average them by speaker.

    Raises:
        DataError: a recording cannot be used.
    """
    chosen = {
        f"{speaker}#{number}": (path,)
        for speaker, paths in training_speakers(files).items()
        for number, path in enumerate(paths[:: -(-len(paths) // COHORT_RECORDINGS)])
    }
    embeddings = embed_recordings(
        functools.partial(LiteRTEmbedder, artifact), chosen, progress=steps("cohort") if steps else None
    )
    speakers: dict[str, list[Float32]] = {}
    for name, embedding in embeddings.items():
        speakers.setdefault(name.rsplit("#", 1)[0], []).append(embedding)
    return Cohort(np.stack([np.mean(vectors, axis=0) for vectors in speakers.values()]))


def choose_scoring(
    trials: TrialList, embeddings: Mapping[str, Float32], cohort: Cohort, kind: ScoringKind, false_accept_rate: float
) -> tuple[Scoring, dict[str, object]]:
    """Set the threshold of a scoring on a development list; return it and what both kinds of scoring reach there."""
    scores = {
        "cosine": score_list(trials, embeddings),
        "as_norm": score_list(trials, embeddings, kind="as_norm", cohort=cohort, top_n=TOP_N),
    }
    threshold = threshold_at_far(scores[kind], trials.labels, false_accept_rate)
    measured = {f"eer_{name}": eer(values, trials.labels) for name, values in scores.items()}
    development: dict[str, object] = {"trials": len(trials), "targets": int(trials.labels.sum()), **measured}
    return Scoring(kind, threshold, false_accept_rate, TOP_N), development


def data_identity(index: Path) -> list[object]:
    """Describe a table's speech files for a stage's key: the table, and each file's size and time of change.

    Raises:
        DataError: the table or a file cannot be read.
    """
    try:
        stats = [file.path.stat() for file in read_index(index)]
    except OSError as error:
        raise DataError(f"cannot read {error.filename}", details={"got": error.strerror or str(error)}) from error
    lists = sorted([*index.parent.glob("*/trials_dev.txt"), *index.parent.glob("*/utterances.csv")])
    texts = [path.read_text() for path in (index, *lists)]
    return [texts, [(stat.st_size, stat.st_mtime_ns) for stat in stats]]
