"""Enroll a voice and verify recordings against its print: `Verifier`, `Decision`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sv.audio.recording import check_speech
from edge_sv.embedders import Embedder
from edge_sv.embedders.model import Model, load
from edge_sv.errors import DataError, UsageError
from edge_sv.scoring.scores import Cohort, Scoring, ScoringKind, score_pair
from edge_sv.system.array_types import Float32, Int16
from edge_sv.verification.voice_print import VoicePrint

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decision:
    """The answer to "is this that voice?".

    Args:
        score: similarity of recording and print, on the scale of the scoring.
        threshold: the least score that is accepted.
    """

    score: float
    threshold: float

    @property
    def accepted(self) -> bool:
        """Whether the recording is taken for the enrolled voice."""
        return self.score >= self.threshold


class Verifier:
    """Enrolls and verifies with one model and one scoring.

    Args:
        embedder: anything that turns PCM into an embedding.
        scoring: how two embeddings are compared, and the threshold; without it one can enroll, not verify.
        cohort: other speakers' embeddings, where the scoring needs them.
    """

    def __init__(self, embedder: Embedder, scoring: Scoring | None, cohort: Cohort | None = None) -> None:
        self.embedder = embedder
        self.scoring = scoring
        self.cohort = cohort

    def enroll(
        self, recordings: Sequence[Int16], *, add_to: VoicePrint | None = None, name: str | None = None
    ) -> VoicePrint:
        """Make a print from recordings, or a print that goes on from another one.

        Adding k recordings to a print of n: mean' = (n * mean + sum of the k new embeddings) / (n + k), which is, but
        for float32 rounding, the print that all n + k recordings at once would have given. The name stays unless a new
        one is given.

        Warns, in the log, about a recording that its companions would not accept: likely another voice or a bad one.

        Args:
            recordings: each (num_samples,) int16 at the embedder's sample rate.
            add_to: the print to go on from.
            name: whose voice it is.

        Raises:
            DataError: a recording holds no usable speech, or the print is another model's.
            UsageError: no recording.
        """
        if not recordings:
            raise UsageError("an enrollment needs at least one recording", hint="three or more make a better print")
        if add_to is not None:
            self._check_model(add_to)
        embeddings = np.stack([self._embed(pcm, f"recording {i}") for i, pcm in enumerate(recordings, 1)])
        before = add_to.recordings if add_to is not None else 0
        total = embeddings.sum(axis=0, dtype=np.float64)
        if add_to is not None:
            total += before * add_to.embedding.astype(np.float64)
        self._warn_of_strangers(embeddings, total)
        return VoicePrint(
            embedding=(total / (before + len(embeddings))).astype(np.float32),
            model_sha256=self.embedder.model_sha256,
            recordings=before + len(embeddings),
            name=name if name is not None else (add_to.name if add_to is not None else ""),
        )

    def verify(self, voice_print: VoicePrint, pcm: Int16) -> Decision:
        """Compare a recording, (num_samples,) int16, with a print.

        Raises:
            DataError: the print is another model's, or the recording holds no usable speech.
            UsageError: there is no scoring.
        """
        if self.scoring is None:
            raise UsageError("this model carries no threshold", hint="choose one: --threshold X")
        self._check_model(voice_print)
        return self._compare(voice_print.embedding, self._embed(pcm, "the recording"), self.scoring)

    def _embed(self, pcm: Int16, name: str) -> Float32:
        check_speech(pcm, sample_rate=self.embedder.features.sample_rate, name=name)
        return self.embedder.embed(pcm)

    def _compare(self, enrolled: Float32, tested: Float32, scoring: Scoring) -> Decision:
        score = score_pair(enrolled, tested, scoring, self.cohort)
        return Decision(score=score, threshold=scoring.threshold)

    def _warn_of_strangers(self, embeddings: Float32, total: npt.NDArray[np.float64]) -> None:
        for number, embedding in enumerate(embeddings, 1):
            others = (total - embedding).astype(np.float32)
            if self.scoring is None or np.abs(others).max() < 1e-6:
                return
            decision = self._compare(others, embedding, self.scoring)
            if not decision.accepted:
                _log.warning(
                    "recording %d scores %.3f against the rest of the enrollment, below the threshold of %.3f: "
                    "is it the same voice?",
                    number,
                    decision.score,
                    decision.threshold,
                )

    def _check_model(self, voice_print: VoicePrint) -> None:
        if voice_print.model_sha256 != self.embedder.model_sha256:
            raise DataError(
                "the voice print was made by another model",
                details={
                    "print": f"model {voice_print.model_sha256[:12]}",
                    "here": f"model {self.embedder.model_sha256[:12]}",
                },
                hint="verify with the model that enrolled, or enroll again with this one",
            )


def open_verifier(
    model: Path | str,
    *,
    runtime: str | None = None,
    threshold: float | None = None,
    scoring: ScoringKind | None = None,
) -> Verifier:
    """Open a model with the scoring it carries; arguments and errors as `load` and `make_verifier`."""
    return make_verifier(load(model, runtime=runtime), threshold=threshold, scoring=scoring)


def make_verifier(model: Model, *, threshold: float | None = None, scoring: ScoringKind | None = None) -> Verifier:
    """Verify with an open model and the scoring it carries.

    Args:
        model: a float net that was never converted carries no scoring: it enrolls, and verifies by cosine once there
            is a threshold.
        threshold: replaces the model's own.
        scoring: another kind than the model's own, for which it has no threshold.

    Raises:
        UsageError: an impossible threshold, AS-norm without a cohort, or another kind of scoring without a threshold.
    """
    own = model.scoring
    if scoring == "as_norm" and model.cohort is None:
        raise UsageError("this model carries no cohort, which AS-norm needs", hint="--scoring cosine")
    if scoring is not None and threshold is None and (own is None or own.kind != scoring):
        threshold_of = f"its threshold is of {own.kind} scores" if own else "it carries no threshold"
        raise UsageError(
            f"this model has no threshold for {scoring}",
            details={"got": threshold_of},
            hint="choose one: --threshold X",
        )
    if threshold is not None:
        kind = scoring or (own.kind if own else "cosine")
        own = replace(own or Scoring(kind, threshold, None), kind=kind, threshold=threshold, false_accept_rate=None)
    return Verifier(model.embedder, own, model.cohort)
