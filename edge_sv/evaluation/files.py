"""Score a trial list that lies in files."""

from __future__ import annotations

import functools
from pathlib import Path

from edge_sv.audio.noisy_copy import NoisyCopy
from edge_sv.embedders.open import open_embedder
from edge_sv.errors import UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import Evaluation, evaluate, model_scoring
from edge_sv.scoring.scores import ScoringKind
from edge_sv.scoring.trials import find_recordings, read_trials
from edge_sv.system.progress import Progress


def evaluate_files(
    model: str | Path,
    trials: str | Path,
    audio: str | Path | None = None,
    *,
    utterances: str | Path | None = None,
    runtime: str | None = None,
    scoring: ScoringKind | None = None,
    noise: NoisyCopy | None = None,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Embed a list's recordings, score its trials and measure the errors.

    Args:
        model: a bundled net's name, a folder or a file.
        trials: lines of `label enroll test`; label 1: same speaker.
        audio: folder that the list's ids are paths in.
        utterances: csv with the columns utt_id, files (a|b|c) and speaker.
        runtime: `tflite`, `tflm`, `c`, `emulator` or `keras`; None: LiteRT.
        scoring: `cosine` or `as_norm`; None: the model's own. Its threshold is used where it is of this kind, else
            this list's at its EER.
        noise: evaluate on a noisy copy of the recordings.
        cache: embeddings computed before.
        jobs: worker processes; None: one a core.
        progress: called as embeddings arrive.

    Raises:
        UsageError: unknown model or runtime, no place of recordings is given, or AS-norm without a cohort.
        DataError: the list, the model or a recording cannot be used.
        ToolMissing: the runtime is not installed.
    """
    if audio is None and utterances is None:
        raise UsageError(
            "no recordings given", hint="give the folder of the recordings, a table of utterances, or both"
        )
    listed = read_trials(Path(trials))
    recordings = find_recordings(
        listed, Path(audio) if audio else Path(), utterances=Path(utterances) if utterances else None
    )
    shipped, cohort = model_scoring(model, runtime=runtime)
    own = shipped is not None and scoring in (None, shipped.kind)
    return evaluate(
        functools.partial(open_embedder, model, runtime=runtime),
        listed,
        recordings,
        scoring=shipped if own and shipped is not None else scoring or "cosine",
        cohort=cohort,
        noise=noise,
        cache=cache,
        jobs=jobs,
        progress=progress,
    )
