"""From two embeddings to one score: cosine, alone or normalized by a cohort of other speakers (AS-norm)."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.segments import normalize_length
from edge_sv.system.array_types import Float32
from edge_sv.system.npz import parse_arrays

ScoringKind = Literal["cosine", "as_norm"]
Indices = npt.NDArray[np.intp]

_SMALLEST_DEVIATION = 1e-4
"""Cohort scores that are all equal must not make a score infinite."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """Embeddings of other speakers, what a score is compared with.

    Values are rounded to 8 bits with one scale for all when the cohort is made, so it scores the same before and after
    its journey through a file or a device.

    Args:
        embeddings: (num_speakers, embedding_dim) float32, one mean embedding a speaker.

    Raises:
        UsageError: not a matrix of finite numbers with at least two speakers.
    """

    embeddings: Float32

    def __post_init__(self) -> None:
        given = np.asarray(self.embeddings, np.float32)
        if given.ndim != 2 or len(given) < 2 or not np.isfinite(given).all() or not given.any():
            raise UsageError(f"a cohort needs (num_speakers >= 2, embedding_dim) finite numbers, got {given.shape}")
        values, scale = _to_int8(given)
        object.__setattr__(self, "embeddings", (values * scale).astype(np.float32))

    def __len__(self) -> int:
        return len(self.embeddings)

    def to_bytes(self) -> bytes:
        """Pack as npz: `values` int8 and `scale`; same cohort, same bytes."""
        values, scale = _to_int8(self.embeddings)
        stream = io.BytesIO()
        np.savez_compressed(stream, values=values, scale=np.float64(scale))
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Cohort:
        """Unpack what `to_bytes` packed.

        Raises:
            DataError: the bytes are damaged or are no cohort.
        """
        try:
            arrays = parse_arrays(data, "the cohort")
            values, scale = arrays["values"], float(arrays["scale"])
            if values.dtype != np.int8:
                raise ValueError(f"values are {values.dtype}, not int8")
            return cls((values * scale).astype(np.float32))
        except (ValueError, TypeError, KeyError, OverflowError, UsageError) as error:
            raise DataError("the cohort is damaged", details={"got": str(error)}) from error


@dataclass(frozen=True)
class Scoring:
    """How two embeddings are compared and from which score on they are one speaker.

    Args:
        kind: `cosine`, or `as_norm`, which needs a cohort.
        threshold: lowest score that is accepted.
        false_accept_rate: share of non-target trials that the threshold accepted on the development list; None for a
            threshold that was chosen by hand.
        top_n: nearest cohort speakers that AS-norm uses.

    Raises:
        UsageError: a value that makes no sense.
    """

    kind: ScoringKind
    threshold: float
    false_accept_rate: float | None
    top_n: int = 100

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScoringKind):
            raise UsageError(f"unknown scoring '{self.kind}'", details={"known": ", ".join(get_args(ScoringKind))})
        rate = 0.0 if self.false_accept_rate is None else self.false_accept_rate
        problems = {
            f"the threshold must be a finite number, not {self.threshold}": not np.isfinite(self.threshold),
            f"the false-accept rate must lie between 0 and 1, not at {rate}": not 0 <= rate <= 1,
            f"AS-norm takes 2 cohort speakers or more, not {self.top_n}": self.top_n < 2,
        }
        for text, wrong in problems.items():
            if wrong:
                raise UsageError(f"impossible scoring: {text}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scoring:
        """Read what `to_dict` wrote.

        Raises:
            DataError: unknown or missing fields, or values that make no sense.
        """
        try:
            return cls(**values)
        except (TypeError, UsageError) as error:
            raise DataError("the scoring is damaged", details={"got": repr(values)}) from error


def cosine(a: Float32, b: Float32) -> float:
    """Compute the cosine of two (embedding_dim,) embeddings, -1 to 1; 0 when one of them is zero."""
    return float(normalize_length(a) @ normalize_length(b))


def cohort_statistics(embeddings: Float32, cohort: Cohort, *, top_n: int = 100) -> tuple[Float32, Float32]:
    """Compute mean and standard deviation of each embedding's cosines with its top_n nearest cohort speakers.

    Args:
        embeddings: (num, embedding_dim).
        cohort: of the same embedding_dim; all of it is used when it has fewer than top_n speakers.
        top_n: how many.

    Returns:
        (num,) means and (num,) standard deviations.

    Raises:
        DataError: the cohort was made by a net with another embedding_dim.
    """
    if embeddings.shape[-1] != cohort.embeddings.shape[-1]:
        raise DataError(
            "the cohort does not fit the embeddings",
            details={"embedding": str(embeddings.shape[-1]), "cohort": str(cohort.embeddings.shape[-1])},
        )
    scores = normalize_length(embeddings) @ normalize_length(cohort.embeddings).T
    nearest = np.partition(scores, -min(top_n, len(cohort)), axis=-1)[:, -min(top_n, len(cohort)) :].astype(np.float64)
    return (
        nearest.mean(axis=-1).astype(np.float32),
        np.maximum(nearest.std(axis=-1), _SMALLEST_DEVIATION).astype(np.float32),
    )


def score_trials(
    embeddings: Float32,
    pairs: tuple[Indices, Indices],
    *,
    kind: ScoringKind = "cosine",
    cohort: Cohort | None = None,
    top_n: int = 100,
) -> Float32:
    """Score a whole list at once.

    AS-norm is .5 * ((s - mu_e) / sd_e + (s - mu_t) / sd_t) with the statistics of both sides' nearest cohort speakers.

    Args:
        embeddings: (num_recordings, embedding_dim).
        pairs: rows of the enrollment and of the test recordings, (num_trials,) each.
        kind: `cosine` or `as_norm`.
        cohort: for `as_norm`.
        top_n: nearest cohort speakers that AS-norm uses.

    Returns:
        (num_trials,) float32.

    Raises:
        UsageError: `as_norm` without a cohort.

    Source: P. Matejka et al., "Analysis of score normalization in multilingual speaker recognition", Interspeech 2017,
    adaptive S-norm (the cohort is chosen for each side by that side).
    """
    enroll, test = pairs
    unit = normalize_length(embeddings)
    scores = np.einsum("td,td->t", unit[enroll], unit[test])
    if kind == "cosine":
        return np.asarray(scores, np.float32)
    if cohort is None:
        raise UsageError("AS-norm needs a cohort, and this model has none", hint="use cosine scoring")
    mean, deviation = cohort_statistics(unit, cohort, top_n=top_n)
    both = (scores - mean[enroll]) / deviation[enroll] + (scores - mean[test]) / deviation[test]
    return np.asarray(0.5 * both, np.float32)


def as_norm(a: Float32, b: Float32, *, cohort: Cohort, top_n: int = 100) -> float:
    """Compute the AS-norm score of two (embedding_dim,) embeddings; see `score_trials`."""
    pair = (np.array([0]), np.array([1]))
    return float(score_trials(np.stack([a, b]), pair, kind="as_norm", cohort=cohort, top_n=top_n)[0])


def score_pair(a: Float32, b: Float32, scoring: Scoring, cohort: Cohort | None = None) -> float:
    """Score two (embedding_dim,) embeddings as `scoring` says.

    Raises:
        UsageError: `as_norm` without a cohort.
    """
    pair = (np.array([0]), np.array([1]))
    embeddings = np.stack([a, b])
    return float(score_trials(embeddings, pair, kind=scoring.kind, cohort=cohort, top_n=scoring.top_n)[0])


def _to_int8(embeddings: Float32) -> tuple[npt.NDArray[np.int8], float]:
    """Round to int8 by one scale, in double precision, so that rounding twice gives what rounding once gives."""
    scale = float(np.abs(embeddings).max()) / 127
    return np.rint(embeddings / scale).astype(np.int8), scale
