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
from edge_sv.system.array_types import Float32
from edge_sv.system.bundled import assets_dir
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
        progress: told of the search.

    Raises:
        UsageError: a rule matches no layer or one that cannot be compressed, or a budget that no plan keeps, or all do.
        DataError: the net or the data cannot be used.
    """
    model, description = load_net(net)
    if data is None:
        crops, source = cut_voices(description), "the bundled synthetic voices"
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


def cut_voices(description: NetDescription) -> Float32:
    """Cut up to 48 segments, evenly chosen, of the bundled synthetic voices: (crops, frames, num_mels, 1)."""
    paths = sorted((assets_dir() / "voices").glob("*.flac"))
    segments = np.concatenate([_segments(path, description) for path in paths])
    chosen = np.unique(np.linspace(0, len(segments) - 1, CROPS).round().astype(int))
    return np.asarray(segments[chosen][..., np.newaxis], np.float32)


def _segments(path: Path, description: NetDescription) -> Float32:
    pcm = read_recording(path, sample_rate=description.features.sample_rate)
    return description.segments.cut(compute_features(pcm, description.features))
