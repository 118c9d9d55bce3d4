"""Enroll, verify and compare recordings, given as files or arrays, with a model given by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_sv.audio.samples import Audio, as_pcm
from edge_sv.embedders.model import DEFAULT_MODEL, Model, load
from edge_sv.errors import UsageError
from edge_sv.verification.verifier import Decision, make_verifier
from edge_sv.verification.voice_print import VoicePrint, load_print


def enroll(
    recordings: Sequence[Audio],
    *,
    model: Model | str | Path = DEFAULT_MODEL,
    name: str | None = None,
    add_to: VoicePrint | None = None,
) -> VoicePrint:
    """Make a voice print from recordings of one speaker.

    Args:
        recordings: paths or arrays, see `Model.embed`; three or more make a better print.
        model: opened, or what `load` takes.
        name: whose voice it is.
        add_to: the print to go on from.

    Raises:
        UsageError: no recording, or an array that is none.
        DataError: a recording holds no usable speech, or the print is another model's.

    >>> import edge_sv
    >>> voices = edge_sv.bundled_voices()
    >>> ada = edge_sv.enroll([voices["ada_1"], voices["ada_2"], voices["ada_3"]], name="Ada")
    >>> ada.recordings
    3
    """
    if isinstance(recordings, str | Path):
        raise UsageError("enroll takes a list of recordings", hint=f"enroll([{str(recordings)!r}])")
    verifier = make_verifier(_opened(model))
    rate = verifier.embedder.features.sample_rate
    return verifier.enroll([as_pcm(audio, sample_rate=rate) for audio in recordings], add_to=add_to, name=name)


def verify(
    voice_print: VoicePrint | str | Path,
    recording: Audio,
    *,
    model: Model | str | Path = DEFAULT_MODEL,
    threshold: float | None = None,
) -> Decision:
    """Tell whether a recording is of an enrolled voice.

    Args:
        voice_print: a print, or the file that holds one.
        recording: a path or an array, see `Model.embed`.
        model: that made the print: opened, or what `load` takes.
        threshold: in place of the model's own.

    Raises:
        UsageError: an array that is no recording, or the model carries no threshold.
        DataError: the print is another model's or damaged, or the recording holds no usable speech.

    >>> import edge_sv
    >>> voices = edge_sv.bundled_voices()
    >>> ada = edge_sv.enroll([voices[f"ada_{n}"] for n in (1, 2, 3)])
    >>> edge_sv.verify(ada, voices["ada_4"]).accepted, edge_sv.verify(ada, voices["dan_1"]).accepted
    (True, False)
    """
    verifier = make_verifier(_opened(model), threshold=threshold)
    found = load_print(Path(voice_print)) if isinstance(voice_print, str | Path) else voice_print
    return verifier.verify(found, as_pcm(recording, sample_rate=verifier.embedder.features.sample_rate))


def compare(
    one: Audio, other: Audio, *, model: Model | str | Path = DEFAULT_MODEL, threshold: float | None = None
) -> Decision:
    """Tell whether two recordings are of one voice; arguments and errors as `verify`.

    >>> import edge_sv
    >>> voices = edge_sv.bundled_voices()
    >>> edge_sv.compare(voices["ada_1"], voices["carl_1"]).accepted
    False
    """
    opened = _opened(model)
    return verify(enroll([one], model=opened), other, model=opened, threshold=threshold)


def _opened(model: Model | str | Path) -> Model:
    return model if isinstance(model, Model) else load(model)
