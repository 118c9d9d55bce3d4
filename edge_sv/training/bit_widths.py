"""The widths of a net's layers, planned on speech: training speakers' where there is a table, else synthetic voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_sv.audio.recording import read_recording
from edge_sv.compress.mixed import plan_widths
from edge_sv.compress.sensitivity import Progress
from edge_sv.frontend.features import compute_features
from edge_sv.models.checkpoint import NetDescription, load_net
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.recipe import CompressionRecipe
from edge_sv.scoring.speech_sample import bundled_voices, cut_crops
from edge_sv.system.array_types import Float32
from edge_sv.training.corpus import Utterance, read_corpus

CROPS = 48
SEED = 1


def find_bit_allocation(
    net: Path, recipe: CompressionRecipe, *, data: Path | None, cache: Path, progress: Progress
) -> BitAllocation:
    """Plan the widths of a float net's layers.

    Args:
        net: its folder.
        recipe: a mixed one.
        data: table or folder of speech, of whose training speakers crops are taken; None: the bundled synthetic voices,
            which suffice to see a plan.
        cache: folder for sensitivities; a search that was killed goes on from there.
        progress: called as the search goes on.

    Raises:
        UsageError: a rule matches no layer or one that cannot be compressed, or a budget that no plan keeps, or all do.
        DataError: the net or the data cannot be used.
    """
    model, description = load_net(net)
    if data is None:
        voices = bundled_voices()
        crops, source = cut_crops(voices, description.features, description.segments, count=CROPS), voices.source
    else:
        crops, source = cut_speech(read_corpus(data), description), "training speech"
    return plan_widths(model, recipe, crops, source=source, cache=cache, progress=progress)


def cut_speech(utterances: Sequence[Utterance], description: NetDescription) -> Float32:
    """Cut the first segments of up to 48 recordings, of as many speakers as there are.

    Returns:
        (crops, frames, num_mels, 1).

    Raises:
        DataError: a recording cannot be used.
    """
    order = np.random.default_rng(SEED).permutation(len(utterances))
    heard: Counter[str] = Counter()
    ranks: list[tuple[int, int, int]] = []
    for number in order:
        speaker = utterances[number].speaker
        ranks.append((heard[speaker], len(ranks), int(number)))
        heard[speaker] += 1
    chosen = [utterances[number].path for *_, number in sorted(ranks)[:CROPS]]
    return np.stack([_segments(path, description)[0] for path in chosen])[..., np.newaxis]


def _segments(path: Path, description: NetDescription) -> Float32:
    pcm = read_recording(path, sample_rate=description.features.sample_rate)
    return description.segments.cut(compute_features(pcm, description.features))
