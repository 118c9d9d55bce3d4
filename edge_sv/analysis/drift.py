"""How far a compressed model's scores drift from the float net's, and how often its decision is another one.

A decision flips when the float net and the compressed model, at one threshold, disagree on a trial. A flip is harmful
when the float net was right. Source: arXiv 2606.08078, which finds the harmful flips of low-bit nets concentrated near
the threshold of the float net; the bands, the intervals by speaker and the recalibrated flips are ours.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import ModelKind, locate
from edge_sv.embedders import open_artifact, open_embedder
from edge_sv.errors import UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import embed_recordings, model_scoring, score_list
from edge_sv.scoring import metrics
from edge_sv.scoring.scores import ScoringKind
from edge_sv.scoring.trials import Recordings, TrialList
from edge_sv.system.array_types import Bool, Float32, Float64
from edge_sv.system.progress import Progress

ThresholdSource = Literal["model", "float", "eer", "given"]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BAND_EDGES: dict[ScoringKind, tuple[float, ...]] = {
    "cosine": (0.0, 0.02, 0.05, 0.1, 0.2),
    "as_norm": (0.0, 0.2, 0.5, 1.0, 2.0),
}
"""Distances of the float score from the threshold at which a band begins; the last one has no end."""
HISTOGRAM_CELLS = 60


@dataclass(frozen=True)
class FlipRate:
    """Flipped decisions.

    Args:
        flips: how many.
        trials: of how many.
        ci: 95 % bootstrap interval of their share, by speaker; None without speaker labels, and where
            nothing or everything flipped, which drawing again cannot change.
    """

    flips: int
    trials: int
    ci: tuple[float, float] | None = None

    @property
    def rate(self) -> float:
        """Their share; 0 of no trials."""
        return self.flips / self.trials if self.trials else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {"rate": self.rate, **asdict(self)}


@dataclass(frozen=True)
class Band:
    """Trials whose float score lies `low` to `high` from the threshold, on either side; None: any farther."""

    low: float
    high: float | None
    flips: FlipRate

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {"low": self.low, "high": self.high, **self.flips.to_dict()}


@dataclass(frozen=True)
class Drift:
    """Score differences, compressed less float, and flipped decisions.

    Args:
        threshold: at which both decide.
        mean: of the differences; `mean_ci` is its 95 % interval by speaker, None without speaker labels.
        mean_ci: see `mean`.
        target_mean: over target trials.
        non_target_mean: over the others.
        std: standard deviation of the differences.
        quantiles: `0.05` -> value.
        correlation: of the scores (Pearson's); None where all scores of one side are equal.
        flips: of all trials.
        targets: of the target trials.
        non_targets: of the others.
        harmful: the float net was right.
        helpful: the float net was wrong.
        new_misses: of the target trials, those that only the compressed model rejects.
        new_false_accepts: of the others, those that only the compressed model accepts.
        recalibrated: flips that stay when the compressed model's threshold is moved to where it accepts as many trials
            of this list as the float net does, so what is not a mere shift or stretch of the scores.
        recalibrated_threshold: that threshold.
        bands: flips by the float score's distance from the threshold.
        histogram: (edges, counts) of the differences.
    """

    threshold: float
    mean: float
    mean_ci: tuple[float, float] | None
    target_mean: float
    non_target_mean: float
    std: float
    quantiles: dict[str, float]
    correlation: float | None
    flips: FlipRate
    targets: FlipRate
    non_targets: FlipRate
    harmful: FlipRate
    helpful: FlipRate
    new_misses: FlipRate
    new_false_accepts: FlipRate
    recalibrated: FlipRate
    recalibrated_threshold: float
    bands: tuple[Band, ...]
    histogram: tuple[tuple[float, ...], tuple[int, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {name: value.to_dict() if isinstance(value, FlipRate) else value for name, value in values.items()}
        edges, counts = self.histogram
        return {
            **plain,
            "bands": [band.to_dict() for band in self.bands],
            "histogram": {"edges": list(edges), "counts": list(counts)},
        }


@dataclass(frozen=True)
class ModelDrift:
    """One compressed model on a trial list.

    Args:
        model: as it was asked for.
        recipe: how it was compressed; `float` for a float net.
        scoring: how both were scored.
        threshold_source: `model` or `float`: the one shipped with it; `eer`: the float net's EER threshold on this
            list; `given`: the caller's.
        eer: its equal error rate.
        float_eer: the float net's, scored alike.
        drift: of its scores and decisions.
    """

    model: str
    recipe: str
    scoring: ScoringKind
    threshold_source: ThresholdSource
    eer: float
    float_eer: float
    drift: Drift

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "drift"}
        return {**values, "drift": self.drift.to_dict()}


@dataclass(frozen=True)
class DriftAnalysis:
    """Several compressed models against one float net.

    Args:
        against: the float net, as it was asked for.
        trials: of the list.
        targets: how many of them are target trials.
        models: in the order they were asked for.
    """

    against: str
    trials: int
    targets: int
    models: tuple[ModelDrift, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        head = {"against": self.against, "trials": self.trials, "targets": self.targets}
        return {**head, "models": [model.to_dict() for model in self.models]}


def analyze_drift(
    models: Sequence[str | Path],
    trials: TrialList,
    recordings: Recordings,
    *,
    against: str | Path,
    scoring: ScoringKind | None = None,
    threshold: float | None = None,
    runtime: str | None = None,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> DriftAnalysis:
    """Score a trial list with a float net and with models made from it, and compare.

    Args:
        models: converted models, run in LiteRT unless `runtime` says otherwise; a float net without a converted form
            runs in Keras.
        trials: the list.
        recordings: where its ids lead.
        against: the float net, run in Keras.
        scoring: None: each model's own.
        threshold: None: each model's own, where it has one for this scoring.
        runtime: for the converted models.
        cache: embeddings computed before.
        jobs: worker processes, see `edge_sv.evaluation.evaluate.embed_recordings`.
        progress: called as embeddings arrive, for one model after the other.

    Raises:
        UsageError: no model, unknown models, or `against` is not a float net.
        DataError: a model or a recording is damaged, or embeddings of the two do not compare.
        ToolMissing: TensorFlow or the runtime is not installed.
    """
    if not models:
        raise UsageError("no model to compare", hint="give one or more converted models")
    locate(against).require(ModelKind.FLOAT_NET, hint="--against NET, a folder that holds net.json")
    embed = functools.partial(embed_recordings, files=recordings.files, cache=cache, jobs=jobs, progress=progress)
    converted = [_artifact(model) for model in models]
    wanted = embed(functools.partial(open_embedder, against, runtime="keras"))
    found = []
    for model, artifact in zip(models, converted, strict=True):
        got = embed(functools.partial(open_embedder, model, runtime=runtime if artifact else "keras"))
        compared = _Pair(str(model), artifact, against, wanted, got)
        found.append(_compare(compared, trials, recordings.speakers, scoring=scoring, threshold=threshold))
    return DriftAnalysis(str(against), len(trials), int(trials.labels.sum()), tuple(found))


def measure_drift(
    scores: Float32,
    float_scores: Float32,
    trials: TrialList,
    speakers: Mapping[str, str],
    *,
    threshold: float,
    kind: ScoringKind = "cosine",
) -> Drift:
    """Compare the scores of two models on one list.

    Args:
        scores: (num_trials,) of the compressed model.
        float_scores: (num_trials,) of the float net.
        trials: the list.
        speakers: recording id -> speaker; where they contradict the labels there are no intervals.
        threshold: lowest score that is accepted.
        kind: how the scores were made; it decides the bands.
    """
    labels, differences = trials.labels, scores.astype(np.float64) - float_scores
    accepted, wanted = scores >= threshold, float_scores >= threshold
    moved = _threshold_accepting(scores, int(wanted.sum()))
    bands = _bands(np.abs(float_scores - threshold), BAND_EDGES[kind])
    groups = _flips(accepted, wanted, labels)
    groups["recalibrated"] = ((scores >= moved) != wanted, np.ones(len(labels), np.bool_))
    groups |= {f"band {low}": (accepted != wanted, inside) for low, _, inside in bands}
    rates, mean_ci = _rates(groups, differences, trials, speakers)
    edges, counts = _histogram(differences)
    return Drift(
        threshold=threshold,
        mean=float(differences.mean()),
        mean_ci=mean_ci,
        target_mean=float(differences[labels].mean()),
        non_target_mean=float(differences[~labels].mean()),
        std=float(differences.std()),
        quantiles={str(q): float(np.quantile(differences, q)) for q in QUANTILES},
        correlation=_correlation(scores, float_scores),
        recalibrated_threshold=moved,
        bands=tuple(Band(low, high, rates[f"band {low}"]) for low, high, _ in bands),
        histogram=(edges, counts),
        **{name: rate for name, rate in rates.items() if not name.startswith("band ")},
    )


def _flips(accepted: Bool, wanted: Bool, labels: Bool) -> dict[str, tuple[Bool, Bool]]:
    """Map each kind of changed decision to (which trials show it, of which trials the rate is taken)."""
    flips, every = accepted != wanted, np.ones(len(labels), np.bool_)
    return {
        "flips": (flips, every),
        "targets": (flips, labels),
        "non_targets": (flips, ~labels),
        "harmful": (flips & (wanted == labels), every),
        "helpful": (flips & (wanted != labels), every),
        "new_misses": (flips & wanted, labels),
        "new_false_accepts": (flips & ~wanted, ~labels),
    }


def _correlation(scores: Float32, float_scores: Float32) -> float | None:
    if np.ptp(scores) == 0 or np.ptp(float_scores) == 0:
        return None
    return float(np.corrcoef(scores, float_scores)[0, 1])


def _threshold_accepting(scores: Float32, count: int) -> float:
    """Return the threshold that accepts the `count` highest scores."""
    ordered = np.sort(scores)
    return float(ordered[-count]) if count else float(np.nextafter(ordered[-1], np.float32(np.inf)))


@dataclass(frozen=True)
class _Pair:
    model: str
    artifact: ModelArtifact | None
    against: str | Path
    wanted: Mapping[str, Float32]
    got: Mapping[str, Float32]


def _artifact(model: str | Path) -> ModelArtifact | None:
    """Open a converted model; None for a float net that has no converted form in its folder."""
    located = locate(model)
    if located.kind is ModelKind.FLOAT_NET and not located.artifacts():
        return None
    return open_artifact(model)


def _compare(
    pair: _Pair,
    trials: TrialList,
    speakers: Mapping[str, str],
    *,
    scoring: ScoringKind | None,
    threshold: float | None,
) -> ModelDrift:
    shipped = pair.artifact.scoring if pair.artifact else None
    float_scoring, float_cohort = model_scoring(pair.against, runtime="keras")
    kind: ScoringKind = scoring or (shipped.kind if shipped else "cosine")
    cohort = pair.artifact.cohort if pair.artifact else None
    top_n = shipped.top_n if shipped else 100
    wanted = score_list(trials, pair.wanted, kind=kind, cohort=float_cohort, top_n=top_n)
    got = score_list(trials, pair.got, kind=kind, cohort=cohort, top_n=top_n)
    source: ThresholdSource = "given"
    if threshold is None and shipped is not None and shipped.kind == kind:
        threshold, source = shipped.threshold, "model"
    elif threshold is None and float_scoring is not None and float_scoring.kind == kind:
        threshold, source = float_scoring.threshold, "float"
    elif threshold is None:
        threshold, source = metrics.eer_threshold(wanted, trials.labels), "eer"
    return ModelDrift(
        model=pair.model,
        recipe=pair.artifact.recipe if pair.artifact else "float",
        scoring=kind,
        threshold_source=source,
        eer=metrics.eer(got, trials.labels),
        float_eer=metrics.eer(wanted, trials.labels),
        drift=measure_drift(got, wanted, trials, speakers, threshold=threshold, kind=kind),
    )


def _bands(distances: Float32, edges: Sequence[float]) -> list[tuple[float, float | None, Bool]]:
    ends = [*edges[1:], None]
    return [
        (low, high, (distances >= low) & (distances < (np.inf if high is None else high)))
        for low, high in zip(edges, ends, strict=True)
    ]


def _rates(
    groups: Mapping[str, tuple[Bool, Bool]], differences: Float64, trials: TrialList, speakers: Mapping[str, str]
) -> tuple[dict[str, FlipRate], tuple[float, float] | None]:
    """Count flips in groups of trials, name -> (flipped, counted); return also the interval of the mean difference."""
    labels = trials.labels
    sides = ([speakers[trial.enroll] for trial in trials], [speakers[trial.test] for trial in trials])
    known = all((a == b) == label for a, b, label in zip(*sides, labels, strict=True))
    columns = {name: np.where(counted, flipped.astype(float), np.nan) for name, (flipped, counted) in groups.items()}
    intervals = (
        metrics.bootstrap_means_by_speaker({**columns, "": differences}, labels, speakers=sides) if known else {}
    )
    rates = {}
    for name, (flipped, counted) in groups.items():
        flips, count = int((flipped & counted).sum()), int(counted.sum())
        rates[name] = FlipRate(flips, count, intervals.get(name) if 0 < flips < count else None)
    return rates, intervals.get("")


def _histogram(differences: Float64) -> tuple[tuple[float, ...], tuple[int, ...]]:
    reach = max(float(np.quantile(np.abs(differences), 0.999)), 1e-6)
    counts, edges = np.histogram(np.clip(differences, -reach, reach), np.linspace(-reach, reach, HISTOGRAM_CELLS + 1))
    return tuple(edges.tolist()), tuple(int(count) for count in counts)
