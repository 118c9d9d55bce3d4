"""The front end: agrees with librosa, works as frames arrive, and refuses what no front end can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend import features
from edge_sv.frontend.features import FeatureConfig
from edge_sv.system.array_types import Float32, Int16

seeded = settings(deadline=None, derandomize=True)

CONFIGS = {
    "80 mels, 16 kHz": FeatureConfig(),
    "40 mels, 16 kHz": FeatureConfig(num_mels=40),
    "80 mels, 8 kHz": FeatureConfig(sample_rate=8000, fft_size=512, num_mels=80, fmax_hz=3800.0),
    "40 mels, 8 kHz": FeatureConfig(sample_rate=8000, fft_size=256, num_mels=40, fmax_hz=3800.0),
    "40 mels, 16 kHz, 32 ms every 16 ms": FeatureConfig(num_mels=40, window_ms=32.0, hop_ms=16.0, fmax_hz=8000.0),
}
RECORDINGS = [
    "so762/s0049/u00.flac",
    "so762/s0103/u05.flac",
    "libri/l1688/u03.flac",
    "dsp20/z10/beijing2_01.flac",
    "sc12/c0ea0e2f4/two_2.flac",
]
"""Adults and a child, sentences and words, four recording chains."""

SMALL = FeatureConfig(sample_rate=4000, window_ms=8.0, hop_ms=4.0, fft_size=32, num_mels=5, fmax_hz=2000.0)


def librosa_mel_power(pcm: Int16, config: FeatureConfig) -> Float32:
    """Compute librosa's mel power, (num_frames, num_mels).

    librosa puts the window into the middle of the FFT's samples; so many zeros in front and behind bring frame t to the
    same samples as ours.
    """
    zeros = np.zeros((config.fft_size - config.window_length) // 2, np.float32)
    power = librosa.feature.melspectrogram(
        y=np.concatenate([zeros, pcm.astype(np.float32) / 32768, zeros]),
        sr=config.sample_rate,
        n_fft=config.fft_size,
        hop_length=config.hop_length,
        win_length=config.window_length,
        window="hann",
        center=False,
        power=2.0,
        n_mels=config.num_mels,
        fmin=config.fmin_hz,
        fmax=config.fmax_hz,
        htk=True,
        norm=None,
    )
    return np.asarray(power.T, np.float32)


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_mel_power_agrees_with_librosa(speech_data: Path, config: FeatureConfig, name: str) -> None:
    """Every value is within 1e-4 of itself; 80 dB below the frame's loudest band float32's rounding may add."""
    pcm = read_recording(speech_data / name, sample_rate=config.sample_rate)
    ours, theirs = features.mel_power(pcm, config), librosa_mel_power(pcm, config)
    assert ours.shape == theirs.shape == (config.num_frames(len(pcm)), config.num_mels)
    tolerance = 1e-4 * theirs + 1e-8 * theirs.max(axis=1, keepdims=True)
    assert (np.abs(ours - theirs) <= tolerance).all()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_log_mel_agrees_with_librosa_on_loud_noise(config: FeatureConfig) -> None:
    """Log-mel values are within 1e-4 nat; noise fills every band, so nothing is excused."""
    pcm = np.random.default_rng(0).integers(-9000, 9000, config.sample_rate, dtype=np.int16)
    np.testing.assert_allclose(features.log_mel(pcm, config), np.log(librosa_mel_power(pcm, config)), rtol=0, atol=1e-4)


def test_filterbank_is_librosas() -> None:
    for config in CONFIGS.values():
        ours = features.mel_filterbank(
            config.sample_rate, config.fft_size, config.num_mels, config.fmin_hz, config.fmax_hz
        )
        theirs = librosa.filters.mel(
            sr=config.sample_rate, n_fft=config.fft_size, n_mels=config.num_mels, fmin=config.fmin_hz,
            fmax=config.fmax_hz, htk=True, norm=None,
        )  # fmt: skip
        np.testing.assert_allclose(ours, theirs.T, atol=1e-6)


def test_bands_share_a_tones_power() -> None:
    """Neighbouring triangles add to 1, so together they hold fft_size / 2 of the windowed tone's energy (Parseval)."""
    config = FeatureConfig(num_mels=40)
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    pcm = np.round(32767 * tone).astype(np.int16)
    energy = np.sum(features.hann_window(400) ** 2) / 2
    np.testing.assert_allclose(features.mel_power(pcm, config).sum(axis=1), config.fft_size / 2 * energy, rtol=1e-3)


def test_silence_stays_at_the_floor() -> None:
    frames = features.log_mel(np.zeros(16000, np.int16), FeatureConfig())
    np.testing.assert_array_equal(frames, np.float32(np.log(features.LOG_FLOOR)))


# --- as frames arrive ------------------------------------------------------------------------------------------------


@st.composite
def streams(draw: st.DrawFn) -> tuple[Float32, FeatureConfig]:
    """Log-mel frames of up to 40 frames with any start, prior and horizon."""
    mels = draw(st.integers(1, 3))
    values = st.floats(-20, 10, width=32)
    frames = draw(hnp.arrays(np.float32, (draw(st.integers(0, 40)), mels), elements=values))
    start = draw(st.one_of(st.just(()), st.tuples(*[values] * mels)))
    prior, horizon = draw(st.integers(0, 30)), draw(st.integers(1, 30))
    config = replace(SMALL, num_mels=mels, mean_start=start, prior_frames=prior, horizon_frames=horizon)
    return frames, config


@seeded
@given(streams())
def test_running_mean_is_what_its_definition_says(stream: tuple[Float32, FeatureConfig]) -> None:
    frames, config = stream
    prior = config.prior_frames if config.mean_start else 0
    mean = list(config.mean_start) or ([float(v) for v in frames[0]] if len(frames) else [])
    expected = []
    for t, frame in enumerate(frames):
        weight = min(prior + t + 1, config.horizon_frames)
        mean = [m + (float(x) - m) / weight for m, x in zip(mean, frame, strict=True)]
        expected.append(mean)
    np.testing.assert_allclose(features.running_mean(frames, config), np.reshape(expected, frames.shape), atol=1e-5)


@seeded
@given(streams(), st.integers(0, 40))
def test_running_mean_knows_no_later_frame(stream: tuple[Float32, FeatureConfig], num_frames: int) -> None:
    frames, config = stream
    whole = features.running_mean(frames, config)[:num_frames]
    np.testing.assert_array_equal(features.running_mean(frames[:num_frames], config), whole)


@seeded
@given(hnp.arrays(np.int16, st.integers(32, 800)), st.integers(0, 800), st.booleans(), st.integers(1, 60))
def test_features_of_a_beginning_are_the_beginning_of_the_features(
    pcm: Int16, num_samples: int, with_start: bool, horizon: int
) -> None:
    config = replace(SMALL, mean_start=(-5.0,) * 5 if with_start else (), horizon_frames=horizon)
    beginning = features.compute_features(pcm[:num_samples], config)
    whole = features.compute_features(pcm, config)
    np.testing.assert_allclose(beginning, whole[: len(beginning)], rtol=0, atol=1e-5)


def test_utterance_mean_needs_the_whole_recording() -> None:
    pcm = np.random.default_rng(0).integers(-9000, 9000, 4000, dtype=np.int16)
    pcm[2000:] //= 100
    config = replace(SMALL, normalization="utterance_mean", clip=100.0)
    beginning, whole = (features.compute_features(part, config) for part in (pcm[:2000], pcm))
    assert np.abs(beginning - whole[: len(beginning)]).min() > 0.1
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=1e-4)


def test_a_gain_is_removed_by_every_mean_but_the_constant() -> None:
    """A recording four times as loud has the same features, once its first frames have set the mean."""
    pcm = np.random.default_rng(0).integers(-8000, 8000, 4000, dtype=np.int16)
    for normalization, removed in (("running_mean", True), ("utterance_mean", True), ("none", False)):
        config = replace(SMALL, normalization=normalization, clip=100.0)
        difference = features.compute_features(pcm * 4, config) - features.compute_features(pcm, config)
        assert np.allclose(difference, 0, atol=1e-3) == removed


def test_none_subtracts_the_constants() -> None:
    pcm = np.random.default_rng(0).integers(-8000, 8000, 4000, dtype=np.int16)
    config = replace(SMALL, normalization="none", mean_start=(1.0, 2.0, 3.0, 4.0, 5.0), clip=100.0)
    expected = features.log_mel(pcm, config) - np.arange(1, 6, dtype=np.float32)
    np.testing.assert_allclose(features.compute_features(pcm, config), expected, atol=1e-6)


# --- frames ----------------------------------------------------------------------------------------------------------


@seeded
@given(
    hnp.arrays(np.int16, st.one_of(st.integers(0, 40), st.integers(0, 600))),
    st.sampled_from(["running_mean", "utterance_mean", "none"]),
)
@pytest.mark.filterwarnings("error")
def test_any_recording_has_finite_clipped_features(pcm: Int16, normalization: features.Normalization) -> None:
    config = replace(SMALL, normalization=normalization)
    frames = features.compute_features(pcm, config)
    assert frames.shape == (config.num_frames(len(pcm)), 5)
    assert frames.dtype == np.float32
    assert (np.abs(frames) <= config.clip).all()


@seeded
@given(st.integers(0, 100_000))
def test_frames_are_whole_windows(num_samples: int) -> None:
    config = FeatureConfig()
    count = config.num_frames(num_samples)
    assert count == len(range(0, num_samples - config.window_length + 1, config.hop_length))


def test_a_frame_sees_its_window_alone() -> None:
    config = replace(SMALL, normalization="none", clip=100.0)
    pcm = np.random.default_rng(0).integers(-9000, 9000, 1000, dtype=np.int16)
    changed = pcm.copy()
    changed[500:] = 0
    same = (features.compute_features(pcm, config) == features.compute_features(changed, config)).all(axis=1)
    last = max(t for t in range(len(same)) if t * config.hop_length + config.window_length <= 500)
    assert same[: last + 1].all()
    assert not same[last + 1 :].any()


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sample_rate": 0}, "sample_rate must be positive"),
        ({"hop_ms": 0.0}, "hop_ms must be at least one sample"),
        ({"hop_ms": 0.01}, "hop_ms must be at least one sample"),
        ({"hop_ms": -10.0}, "hop_ms must be at least one sample"),
        ({"fft_size": 500}, "power of two"),
        ({"fft_size": 256}, "window must fit"),
        ({"num_mels": 0}, "num_mels"),
        ({"fmax_hz": 8001.0}, "sample_rate / 2"),
        ({"fmin_hz": 7600.0}, "fmin_hz < fmax_hz"),
        ({"normalization": "batch"}, "running_mean, utterance_mean, none"),
        ({"mean_start": (1.0, 2.0)}, "one value per band"),
        ({"prior_frames": -1}, "prior_frames"),
        ({"horizon_frames": 0}, "horizon_frames"),
        ({"clip": 0.0}, "clip"),
        ({"fft_size": 1 << 20}, "fft_size may be"),
        ({"num_mels": 513}, "num_mels must be at most"),
        ({"fft_size": 1, "window_ms": 1 / 16}, "power of two"),
        ({"window_ms": 0.0}, "window must fit"),
        ({"fmin_hz": -0.1}, "fmin_hz < fmax_hz"),
        ({"hop_ms": float("inf")}, "finite"),
        ({"clip": float("nan")}, "finite"),
        ({"mean_start": (float("inf"),) * 80}, "finite"),
    ],
)
def test_impossible_front_ends_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        replace(FeatureConfig(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"sample_rate": 1000, "window_ms": 1.0, "hop_ms": 1.0, "fft_size": 2, "num_mels": 1, "fmax_hz": 500.0},
        {"window_ms": 32.0},
        {"fft_size": 1 << 16},
        {"num_mels": 512},
        {"fmin_hz": 0.0, "fmax_hz": 8000.0},
        {"prior_frames": 0, "horizon_frames": 1},
    ],
)
def test_the_last_possible_front_ends_compute(changes: dict[str, object]) -> None:
    config = replace(FeatureConfig(), **changes)  # type: ignore[arg-type]
    pcm = np.random.default_rng(0).integers(-9000, 9000, 1000, dtype=np.int16)
    frames = features.compute_features(pcm, config)
    assert frames.shape == (len(range(0, 1001 - config.window_length, config.hop_length)), config.num_mels)
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("pcm", [np.zeros((1000, 1), np.int16), np.zeros(1000, np.float32)], ids=["2-D", "float"])
def test_what_is_no_mono_int16_is_refused(pcm: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"takes \(num_samples,\) int16; got"):
        features.compute_features(pcm, FeatureConfig())


def test_a_description_survives_the_way_through_json() -> None:
    config = FeatureConfig(num_mels=2, mean_start=(-1.5, 2.25), normalization="none")
    assert FeatureConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("values", [{"mels": 40}, {"mean_start": "x"}, {"mean_start": 3}])
def test_unreadable_descriptions_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(DataError, match="front-end"):
        FeatureConfig.from_dict(values)
