"""How well scores separate target from non-target trials.

All functions take `scores` (num_trials,) and `labels` (num_trials,) bool, True for target trials, and accept a trial
when its score is at least the threshold. The operating points of a list are its distinct scores taken as thresholds,
and one above the highest that accepts nothing; equal scores are never separated. Between neighbouring operating points
the curve of (false-accept rate, miss rate) is a straight line: what a random choice between the two thresholds reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Scores = npt.ArrayLike
Labels = npt.ArrayLike
Statistic = Callable[[Array, Array], Array]
"""Maps miss and false-accept rates, both (..., num_points), to (...,) values."""

_CHUNK = 32
"""Bootstrap replicates computed at once: 32 x 10,000 trials stay in the cache."""


@dataclass(frozen=True)
class DetPoints:
    """Operating points by rising threshold.

    Args:
        thresholds: (num_points,) scores; the last one lies just above the highest score.
        miss: (num_points,) share of target trials that are rejected, rising from 0 to 1.
        false_accept: (num_points,) share of non-target trials that are accepted, falling from 1 to 0.
    """

    thresholds: Array
    miss: Array
    false_accept: Array


def det_points(scores: Scores, labels: Labels) -> DetPoints:
    """Compute all operating points.

    Raises:
        ValueError: shapes differ, a score is not finite, or there is no target or no non-target trial.
    """
    values, targets = _check(scores, labels)
    order, last = _sort(values)
    values, targets = values[order], targets[order]
    miss, false_accept = _error_rates(targets.astype(np.float64), (~targets).astype(np.float64), last)
    distinct = values[last]
    return DetPoints(np.append(distinct, np.nextafter(distinct[-1], np.inf)), miss, false_accept)


def eer(scores: Scores, labels: Labels) -> float:
    """Compute the equal error rate, a fraction: where the interpolated curve has equal miss and false-accept rates.

    This is the value that `brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)` finds on scikit-learn's `roc_curve`.
    """
    points = det_points(scores, labels)
    return float(eer_of_points(points.miss, points.false_accept))


def eer_threshold(scores: Scores, labels: Labels) -> float:
    """Return the score, among those of the list, at which miss and false-accept rates are nearest to each other."""
    points = det_points(scores, labels)
    return float(points.thresholds[np.argmin(np.abs(points.miss - points.false_accept))])


def threshold_at_far(scores: Scores, labels: Labels, far: float) -> float:
    """Return the lowest threshold whose false-accept rate is at most `far`.

    Args:
        scores: (num_trials,).
        labels: (num_trials,) bool.
        far: highest false-accept rate allowed, 0 to 1.

    Raises:
        ValueError: far is not within [0, 1].
    """
    if not 0 <= far <= 1:
        raise ValueError(f"false-accept rate must be within [0, 1], got {far}")
    points = det_points(scores, labels)
    return float(points.thresholds[np.argmax(points.false_accept <= far)])


def error_rates(scores: Scores, labels: Labels, threshold: float) -> tuple[float, float]:
    """Return (false-accept rate, miss rate) at a threshold."""
    values, targets = _check(scores, labels)
    accepted = values >= threshold
    return float(accepted[~targets].mean()), float((~accepted[targets]).mean())


def min_dcf(scores: Scores, labels: Labels, p_target: float, *, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
    """Compute the lowest detection cost over all thresholds; 1 is the cost of always giving the cheaper answer.

    Source: NIST 2016 Speaker Recognition Evaluation Plan, section 3: C = c_miss * p_target * P_miss
    + c_fa * (1 - p_target) * P_fa, divided by min(c_miss * p_target, c_fa * (1 - p_target)).
    """
    points = det_points(scores, labels)
    return float(dcf_of_points(p_target, c_miss=c_miss, c_fa=c_fa)(points.miss, points.false_accept))


def act_dcf(
    scores: Scores, labels: Labels, p_target: float, *, threshold: float, c_miss: float = 1.0, c_fa: float = 1.0
) -> float:
    """Compute the detection cost at a given threshold, normalized like `min_dcf`, so it can exceed 1."""
    false_accept, miss = error_rates(scores, labels, threshold)
    return float(_dcf(np.array(miss), np.array(false_accept), p_target, c_miss, c_fa))


def cllr(scores: Scores, labels: Labels) -> float:
    """Compute the cost of the scores as natural log-likelihood ratios, in bits a trial; 1 is the cost of no evidence.

    The scores are taken as they are. A cosine is not a log-likelihood ratio: its Cllr stays near 1 however well it
    separates, and says that the score needs calibration; `min_cllr` says what calibration could reach.

    Source: N. Brümmer and J. du Preez, "Application-independent evaluation of speaker detection", Computer Speech and
    Language 20 (2006), eq. 13.
    """
    values, targets = _check(scores, labels)
    return _cllr(values, targets)


def min_cllr(scores: Scores, labels: Labels) -> float:
    """Compute Cllr after the best monotonic calibration (pool adjacent violators on this same list).

    Equal scores get equal ratios. No trials are added at the ends, so separated lists reach 0.

    Source: Brümmer and du Preez (2006), section 5.
    """
    from scipy.optimize import isotonic_regression  # here, because scipy loads slowly and most commands never need it

    values, targets = _check(scores, labels)
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=targets) / sizes
    posterior = np.clip(isotonic_regression(share, weights=sizes).x, 0.0, 1.0)[group]
    prior = targets.mean()
    with np.errstate(divide="ignore"):
        ratios = np.log(posterior) - np.log1p(-posterior) - np.log(prior / (1 - prior))
    return _cllr(ratios, targets)


def eer_of_points(miss: Array, false_accept: Array) -> Array:
    """Compute EERs from rates by rising threshold: (..., num_points) twice -> (...,)."""
    after = np.argmax(miss >= false_accept, axis=-1)[..., None]
    m0, m1 = (np.take_along_axis(miss, after - step, -1)[..., 0] for step in (1, 0))
    f0, f1 = (np.take_along_axis(false_accept, after - step, -1)[..., 0] for step in (1, 0))
    share = (f0 - m0) / ((f0 - m0) + (m1 - f1))
    return np.asarray(m0 + share * (m1 - m0), np.float64)


def dcf_of_points(p_target: float, *, c_miss: float = 1.0, c_fa: float = 1.0) -> Statistic:
    """Make the function that finds the lowest normalized detection cost on (..., num_points) rates."""

    def lowest(miss: Array, false_accept: Array) -> Array:
        return np.asarray(_dcf(miss, false_accept, p_target, c_miss, c_fa).min(axis=-1), np.float64)

    return lowest


def bootstrap_by_speaker(
    scores: Scores,
    labels: Labels,
    *,
    speakers: tuple[Sequence[str], Sequence[str]],
    statistics: Mapping[str, Statistic],
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Compute percentile intervals of statistics when the speakers, not the trials, are the sample.

    Trials of one speaker are alike, so drawing trials would make intervals too narrow. A replicate draws as many
    speakers as there are, with replacement; where a speaker is drawn k times, each of its target trials weighs k, and a
    non-target trial between speakers drawn k and l times weighs k * l, as if each copy were a person. Replicates
    that hold no target or no non-target trial are left out.

    Args:
        scores: (num_trials,).
        labels: (num_trials,) bool.
        speakers: of the enrollment side and of the test side, num_trials names each.
        statistics: name -> function of operating points, `eer_of_points` for one.
        replicates: how many times to draw.
        confidence: share of the replicates inside the interval.
        seed: same seed, same interval.

    Returns:
        name -> (low, high).

    Raises:
        ValueError: fewer than two speakers, or labels that contradict the speakers' names.

    Source: N. Poh and S. Bengio, "Performance generalization in biometric authentication using joint user-specific and
    sample bootstraps", IEEE TPAMI 29 (2007): the user-level bootstrap; product weights for pairs as in T. Snijders and
    S. Borgatti, "Non-parametric standard errors and tests for network statistics", Connections 22 (1999).
    """
    drawn = _replicates(scores, labels, speakers, statistics, replicates, seed)
    return {name: _interval(values, confidence) for name, values in drawn.items()}


def bootstrap_difference(
    scores: Scores,
    reference: Scores,
    labels: Labels,
    *,
    speakers: tuple[Sequence[str], Sequence[str]],
    statistic: Statistic,
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute the percentile interval of a statistic's difference, `scores` less `reference`, on the same trials.

    Both systems get the same draws of speakers, so what is hard for both cancels: the interval is much narrower than
    those of the two systems alone. Arguments and errors are those of `bootstrap_by_speaker`.
    """
    statistics = {"": statistic}
    mine, other = (_replicates(s, labels, speakers, statistics, replicates, seed)[""] for s in (scores, reference))
    return _interval(mine - other, confidence)


def bootstrap_means_by_speaker(
    values: Mapping[str, npt.ArrayLike],
    labels: Labels,
    *,
    speakers: tuple[Sequence[str], Sequence[str]],
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Compute percentile intervals of means over trials when the speakers are the sample; see `bootstrap_by_speaker`.

    Args:
        values: name -> (num_trials,) numbers to average; NaN where a trial does not count for this mean.
        labels: (num_trials,) bool.
        speakers: of the enrollment side and of the test side, num_trials names each.
        replicates: how many times to draw; where none of the drawn trials counts, the replicate is left out.
        confidence: share of the replicates inside the interval.
        seed: same seed, same interval.

    Returns:
        name -> (low, high), NaN where no trial counts.

    Raises:
        ValueError: fewer than two speakers, or labels that contradict the speakers' names.
    """
    table = np.stack([np.asarray(column, np.float64) for column in values.values()], axis=1)
    counted = np.isfinite(table).astype(np.float64)
    filled = np.where(counted > 0, table, 0.0)
    means: list[Array] = []
    for target_weights, other_weights in _draw_weights(np.asarray(labels, np.bool_), speakers, replicates, seed):
        weights = target_weights + other_weights
        with np.errstate(invalid="ignore"):
            means.append((weights @ filled) / (weights @ counted))
    columns = np.concatenate(means).T
    return {
        name: _interval(column[np.isfinite(column)], confidence) for name, column in zip(values, columns, strict=True)
    }


def _replicates(
    scores: Scores,
    labels: Labels,
    speakers: tuple[Sequence[str], Sequence[str]],
    statistics: Mapping[str, Statistic],
    replicates: int,
    seed: int,
) -> dict[str, Array]:
    """Draw speakers and compute each statistic, (num_usable_replicates,); the draws do not depend on the scores."""
    values, targets = _check(scores, labels)
    order, last = _sort(values)
    found: dict[str, list[Array]] = {name: [] for name in statistics}
    for target_weights, other_weights in _draw_weights(targets, speakers, replicates, seed):
        usable = (target_weights.sum(axis=1) > 0) & (other_weights.sum(axis=1) > 0)
        rates = _error_rates(target_weights[usable][:, order], other_weights[usable][:, order], last)
        for name, statistic in statistics.items():
            found[name].append(statistic(*rates))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _draw_weights(
    targets: npt.NDArray[np.bool_], speakers: tuple[Sequence[str], Sequence[str]], replicates: int, seed: int
) -> Iterator[tuple[Array, Array]]:
    """Yield, some replicates at a time, what each trial weighs as a target and as a non-target trial."""
    names, numbers = np.unique([*speakers[0], *speakers[1]], return_inverse=True)
    enroll, test = numbers.reshape(2, -1)
    if len(names) < 2 or np.any((enroll == test) != targets):
        raise ValueError("speakers and labels of the trials contradict each other")
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=replicates).astype(np.float64)
    for start in range(0, replicates, _CHUNK):
        counts = draws[start : start + _CHUNK]
        yield (
            np.where(targets, counts[:, enroll], 0.0),
            np.where(targets, 0.0, counts[:, enroll] * counts[:, test]),
        )


def _interval(values: Array, confidence: float) -> tuple[float, float]:
    if len(values) == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(values, (50 - 50 * confidence, 50 + 50 * confidence))
    return float(low), float(high)


def _check(scores: Scores, labels: Labels) -> tuple[Array, npt.NDArray[np.bool_]]:
    values, targets = np.asarray(scores, np.float64), np.asarray(labels, np.bool_)
    if values.ndim != 1 or values.shape != targets.shape:
        raise ValueError(f"scores and labels must be (num_trials,), got {values.shape} and {targets.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} scores are not finite")
    if targets.all() or not targets.any():
        raise ValueError(f"need target and non-target trials, got {targets.sum()} targets of {targets.size}")
    return values, targets


def _sort(values: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the order by rising score, and the position of the last trial of each distinct score in that order."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(values[order]) > 0, True))


def _error_rates(targets: Array, others: Array, last: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    """Turn trial weights by rising score, (..., num_trials), into miss and false-accept rates, (..., num_points)."""
    rejected = [np.cumsum(weights, axis=-1)[..., last] for weights in (targets, others)]
    shares = [part / part[..., -1:] for part in rejected]
    start = np.zeros((*targets.shape[:-1], 1))
    return np.concatenate([start, shares[0]], axis=-1), 1.0 - np.concatenate([start, shares[1]], axis=-1)


def _dcf(miss: Array, false_accept: Array, p_target: float, c_miss: float, c_fa: float) -> Array:
    if not 0 < p_target < 1:
        raise ValueError(f"p_target must be within (0, 1), got {p_target}")
    cost = c_miss * p_target * miss + c_fa * (1 - p_target) * false_accept
    return np.asarray(cost / min(c_miss * p_target, c_fa * (1 - p_target)), np.float64)


def _cllr(ratios: Array, targets: npt.NDArray[np.bool_]) -> float:
    costs = (np.logaddexp(0.0, -ratios[targets]).mean(), np.logaddexp(0.0, ratios[~targets]).mean())
    return float(sum(costs) / 2 / np.log(2))
