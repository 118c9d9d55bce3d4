"""Information probing: what embeddings still tell about speech, read out by a linear classifier.

An embedding should tell who speaks. What else it tells (gender, age, language, the words) is seen by training a
logistic regression on embeddings of some speakers and testing it on embeddings of others; only speakers that no net was
trained on take part. How compression changes that is the difference to the float net on the same recordings.

Source: arXiv 2210.17326, which probes quantized nets, in the way of D. Raj et al., "Probing the information encoded in
x-vectors", ASRU 2019. Ours: the classifier (theirs are small multi-layer nets), the words that are held out with the
speakers where the language is asked for, and the intervals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.analysis.compared_models import ComparedModel, float_of
from edge_sv.analysis.metadata import DescribedRecording, describe_recordings
from edge_sv.errors import DataError, ToolMissing, UsageError, unknown_name
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import embed_recordings
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Steps

UNHEARD_SPLITS = ("dev", "test")
MIN_SPEAKERS = 10
MIN_CLASS_RECORDINGS = 20
"""A class with fewer recordings is left out."""
MIN_CLASS_SPEAKERS = 4
FOLDS = {"speaker": 5, "text": 4}
"""In how many parts speakers and words are divided; each part is tested on once."""
REGULARIZATION = 1.0
"""scikit-learn's C, on embeddings with each dimension scaled to variance 1."""
REPLICATES = 1000

Labels = list[str | None]
Texts = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Task:
    """A question to the embeddings.

    Args:
        name: of the task.
        asks: what is asked, for people.
        label: recordings of one corpus -> the answer for each; None: unknown.
        unseen: what of a test recording the classifier has not met: its speaker, and its text.
        caution: what else could give the answer away.
    """

    name: str
    asks: str
    label: Callable[[Sequence[DescribedRecording]], Labels]
    unseen: tuple[str, ...] = ("speaker",)
    caution: str = ""


@dataclass(frozen=True)
class Reading:
    """How well one model's embeddings answer.

    Args:
        model: its label.
        accuracy: share of recordings answered rightly.
        accuracy_ci: its 95 % bootstrap interval over speakers.
        change: accuracy less the float net's on the same recordings; None for a float net.
        change_ci: its interval, both models drawn together.
    """

    model: str
    accuracy: float
    accuracy_ci: tuple[float, float]
    change: float | None
    change_ci: tuple[float, float] | None


@dataclass(frozen=True)
class Probe:
    """One task on one corpus.

    Args:
        task: its name.
        asks: what was asked.
        corpus: whose recordings.
        unseen: what of the test recordings was not in training.
        caution: what else could give the answer away.
        recordings: how many.
        speakers: how many.
        classes: answer -> recordings.
        majority: accuracy of always giving the most frequent answer.
        readings: one for each model.
    """

    task: str
    asks: str
    corpus: str
    unseen: tuple[str, ...]
    caution: str
    recordings: int
    speakers: int
    classes: Mapping[str, int]
    majority: float
    readings: tuple[Reading, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "unseen": list(self.unseen), "readings": [asdict(r) for r in self.readings]}


@dataclass(frozen=True)
class Skipped:
    """A task that a corpus cannot answer, and why."""

    task: str
    corpus: str
    reason: str


@dataclass(frozen=True)
class ProbeReport:
    """What was probed, and what could not be."""

    probes: tuple[Probe, ...]
    skipped: tuple[Skipped, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"probes": [p.to_dict() for p in self.probes], "skipped": [asdict(s) for s in self.skipped]}


def _fact(name: str) -> Callable[[Sequence[DescribedRecording]], Labels]:
    return lambda recordings: [recording.facts.get(name) for recording in recordings]


def _word(recordings: Sequence[DescribedRecording]) -> Labels:
    texts = [recording.facts.get("text", "").lower() for recording in recordings]
    return [text if len(text.split()) == 1 else None for text in texts]


def _sentence_length(recordings: Sequence[DescribedRecording]) -> Labels:
    counts = [len(recording.facts.get("text", "").split()) for recording in recordings]
    sentences = [count for count in counts if count > 1]
    if not sentences:
        return [None] * len(counts)
    middle = int(np.median(sentences))
    return [(f"up to {middle} words" if n <= middle else f"more than {middle}") if n > 1 else None for n in counts]


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("gender", "the speaker's gender", _fact("gender")),
        Task(
            "age_group",
            "child or adult",
            _fact("age_group"),
            caution="children and adults were recorded in different places, so the room may tell as well",
        ),
        Task(
            "language",
            "the language spoken",
            _fact("language"),
            unseen=("speaker", "text"),
            caution="each language has a few words of its own: sounds of these words count as language",
        ),
        Task("word", "which word was said", _word),
        Task(
            "sentence_length",
            "a short or a long sentence",
            _sentence_length,
            caution="longer sentences last longer, so the number of averaged segments may tell",
        ),
    )
}


@dataclass(frozen=True)
class _Set:
    """The recordings that a task can be asked on: their answers, and in which part each lies, by what is unseen."""

    task: Task
    corpus: str
    recordings: tuple[DescribedRecording, ...]
    answers: Texts
    parts: tuple[npt.NDArray[np.intp], ...]


def probe(
    compared: Sequence[ComparedModel],
    index: Path,
    *,
    tasks: Sequence[str] = (),
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    steps: Steps | None = None,
) -> ProbeReport:
    """Ask every task of every corpus that has the metadata for it, on recordings of speakers that were not trained on.

    Args:
        compared: models; each is compared with the float net of its name, if that is among them.
        index: table of speech files.
        tasks: names; none: all.
        cache: embeddings computed before.
        jobs: worker processes for embeddings.
        steps: reports what is being done.

    Raises:
        ToolMissing: scikit-learn is not installed.
        UsageError: unknown task, or nothing to probe.
        DataError: a table or a recording cannot be used.
    """
    _need_sklearn()
    sets, skipped = _prepare(_choose_tasks(tasks), describe_recordings(index, splits=UNHEARD_SPLITS))
    if not sets:
        raise DataError(
            f"{index} has no recordings for any probing task",
            details={f"{s.task}, {s.corpus}": s.reason for s in skipped},
        )
    files = {str(recording.path): (recording.path,) for each in sets for recording in each.recordings}
    hits: dict[str, list[npt.NDArray[np.bool_]]] = {}
    for candidate in compared:
        progress = steps(candidate.label) if steps else None
        embeddings = embed_recordings(candidate.open, files, cache=cache, jobs=jobs, progress=progress)
        hits[candidate.label] = [_answer(each, embeddings) for each in sets]
    probes = [
        _describe(each, compared, {label: found[number] for label, found in hits.items()})
        for number, each in enumerate(sets)
    ]
    return ProbeReport(tuple(probes), tuple(skipped))


def _choose_tasks(names: Sequence[str]) -> list[Task]:
    for name in names:
        if name not in TASKS:
            raise unknown_name("task", name, TASKS)
    return [TASKS[name] for name in names] or list(TASKS.values())


def _need_sklearn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ToolMissing("probing needs scikit-learn", hint="pip install 'edge-sv[analyze]'") from error


def _prepare(tasks: Sequence[Task], recordings: Sequence[DescribedRecording]) -> tuple[list[_Set], list[Skipped]]:
    sets: list[_Set] = []
    skipped: list[Skipped] = []
    for task in tasks:
        for corpus in sorted({recording.corpus for recording in recordings}):
            try:
                sets.append(_select(task, corpus, [r for r in recordings if r.corpus == corpus]))
            except UsageError as error:
                skipped.append(Skipped(task.name, corpus, error.message))
    return sets, skipped


def _select(task: Task, corpus: str, recordings: Sequence[DescribedRecording]) -> _Set:
    """Take the recordings whose answer is known and frequent enough.

    Raises:
        UsageError: the corpus cannot answer; says why.
    """
    labels = task.label(recordings)
    known = [(recording, label) for recording, label in zip(recordings, labels, strict=True) if label is not None]
    if not known:
        raise UsageError("no metadata for it")
    counts = Counter(label for _, label in known)
    speakers = {label: len({r.speaker for r, other in known if other == label}) for label in counts}
    if len(counts) == 1:
        raise UsageError(f"only one answer: {next(iter(counts))}")
    frequent = {n for n in counts if counts[n] >= MIN_CLASS_RECORDINGS and speakers[n] >= MIN_CLASS_SPEAKERS}
    kept = [(recording, label) for recording, label in known if label in frequent]
    people = len({recording.speaker for recording, _ in kept})
    if len(frequent) < 2 or people < MIN_SPEAKERS:
        raise UsageError(
            f"{len(frequent)} answers with {MIN_CLASS_RECORDINGS} recordings of {MIN_CLASS_SPEAKERS} speakers, "
            f"{people} speakers; needs 2 and {MIN_SPEAKERS}"
        )
    answers = np.array([label for _, label in kept])
    chosen = tuple(recording for recording, _ in kept)
    return _Set(task, corpus, chosen, answers, tuple(_divide(chosen, answers, what) for what in task.unseen))


def _divide(recordings: Sequence[DescribedRecording], answers: Texts, what: str) -> npt.NDArray[np.intp]:
    """Number the part in which each recording lies; recordings of one speaker (or text) share a part.

    Raises:
        UsageError: there are too few speakers or texts of an answer to divide.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.array([r.speaker if what == "speaker" else r.facts.get(what, "") for r in recordings])
    fewest = min(len(np.unique(groups[answers == answer])) for answer in np.unique(answers))
    if fewest < 2:
        raise UsageError(f"an answer is given by one {what} only")
    parts = np.zeros(len(recordings), np.intp)
    folds = StratifiedGroupKFold(min(FOLDS[what], fewest), shuffle=True, random_state=0)
    for number, (_, tested) in enumerate(folds.split(groups, answers, groups)):
        parts[tested] = number
    return parts


def _answer(each: _Set, embeddings: Mapping[str, Float32]) -> npt.NDArray[np.bool_]:
    """Answer each recording by a classifier that met neither its speaker nor what else is unseen: right or wrong."""
    vectors = np.stack([embeddings[str(recording.path)] for recording in each.recordings]).astype(np.float64)
    right = np.zeros(len(vectors), np.bool_)
    for place in sorted(set(zip(*each.parts, strict=True))):
        tested = np.all([part == number for part, number in zip(each.parts, place, strict=True)], axis=0)
        trained = np.all([part != number for part, number in zip(each.parts, place, strict=True)], axis=0)
        right[tested] = _classify(vectors[trained], each.answers[trained], vectors[tested]) == each.answers[tested]
    return right


def _classify(trained: npt.NDArray[np.float64], answers: Texts, tested: npt.NDArray[np.float64]) -> Texts:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=REGULARIZATION, max_iter=1000))
    return np.asarray(model.fit(trained, answers).predict(tested))


def _describe(each: _Set, compared: Sequence[ComparedModel], right: Mapping[str, npt.NDArray[np.bool_]]) -> Probe:
    counts = Counter(str(answer) for answer in each.answers)
    speakers = np.array([recording.speaker for recording in each.recordings])
    readings = []
    for candidate in compared:
        mine, reference = right[candidate.label].astype(np.float64), float_of(candidate, compared)
        change = None if reference is None else mine - right[reference.label]
        readings.append(
            Reading(
                model=candidate.label,
                accuracy=float(mine.mean()),
                accuracy_ci=_interval(mine, speakers),
                change=None if change is None else float(change.mean()),
                change_ci=None if change is None else _interval(change, speakers),
            )
        )
    return Probe(
        task=each.task.name,
        asks=each.task.asks,
        corpus=each.corpus,
        unseen=each.task.unseen,
        caution=each.task.caution,
        recordings=len(each.recordings),
        speakers=len(np.unique(speakers)),
        classes=dict(sorted(counts.items())),
        majority=max(counts.values()) / len(each.recordings),
        readings=tuple(readings),
    )


def _interval(values: npt.NDArray[np.float64], speakers: Texts) -> tuple[float, float]:
    """Compute the 95 % percentile interval of a mean, (num_recordings,), when speakers are drawn with replacement."""
    names, number = np.unique(speakers, return_inverse=True)
    sums, counts = np.bincount(number, values), np.bincount(number)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPLICATES)
    low, high = np.percentile((draws @ sums) / (draws @ counts), (2.5, 97.5))
    return float(low), float(high)
