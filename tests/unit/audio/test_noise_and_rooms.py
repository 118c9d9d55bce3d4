"""Noise and rooms: levels are what they say, nothing moves, nothing clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.audio.noise_and_rooms import add_noise, degrade, reverberate


def signal(seed: int, num_samples: int = 16000, level: float = 1500) -> np.ndarray:
    return (level * np.random.default_rng(seed).normal(size=num_samples)).astype(np.int16)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 5.0, 15.0, 30.0])
@pytest.mark.parametrize("noise_samples", [900, 16000, 50000])
def test_noise_has_the_ratio_asked_for(snr_db: float, noise_samples: int) -> None:
    pcm, noise = signal(1), signal(2, noise_samples, level=300)
    mixed = add_noise(pcm, noise, snr_db)
    added = mixed.astype(np.float64) - pcm
    assert 10 * np.log10(np.var(pcm.astype(np.float64)) / np.var(added)) == pytest.approx(snr_db, abs=0.1)
    assert mixed.dtype == np.int16 and mixed.shape == pcm.shape


def test_headroom_scales_instead_of_clipping() -> None:
    pcm, noise = signal(3, level=9000), signal(4)
    mixed = add_noise(pcm, noise, 0.0).astype(np.float64)
    assert np.abs(mixed).max() == 32767
    assert np.count_nonzero(np.abs(mixed) == 32767) == 1
    reference = pcm.astype(np.float64) + (noise - noise.mean()) * np.std(pcm.astype(np.float64)) / np.std(noise)
    np.testing.assert_allclose(mixed, reference * 32767 / np.abs(reference).max(), atol=2)


def test_a_room_of_one_sample_changes_nothing() -> None:
    pcm = signal(5)
    np.testing.assert_allclose(reverberate(pcm, np.array([0, 0, 29491, 0], np.int16)), pcm, atol=1)


def test_an_echo_lies_where_it_should_and_speech_stays_in_place() -> None:
    pcm = np.zeros(4000, np.int16)
    pcm[100] = 10000
    rir = np.zeros(600, np.int16)
    rir[30], rir[530] = 30000, -15000
    wet = reverberate(pcm, rir).astype(np.float64)
    assert np.flatnonzero(wet).tolist() == [100, 600]
    assert wet[600] / wet[100] == pytest.approx(-0.5, abs=1e-3)
    assert np.sqrt(np.mean(wet**2)) == pytest.approx(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)), rel=1e-3)


@given(st.integers(0, 1000), st.integers(1, 3000), st.integers(1, 4000), st.floats(-20, 60))
def test_shape_and_range_hold(seed: int, num_samples: int, rir_samples: int, snr_db: float) -> None:
    generator = np.random.default_rng(seed)
    pcm, noise, rir = (
        generator.integers(-32768, 32768, n).astype(np.int16) for n in (num_samples, 1 + seed, rir_samples)
    )
    result = degrade(pcm, noise, rir, snr_db)
    assert result.shape == pcm.shape and result.dtype == np.int16
    np.testing.assert_array_equal(result, degrade(pcm, noise, rir, snr_db))


def test_silence_stays_silence() -> None:
    silence, noise = np.zeros(1000, np.int16), signal(6)
    assert not degrade(silence, noise, noise, 5.0).any()
    np.testing.assert_array_equal(degrade(noise, silence, silence, 5.0), noise)
    assert degrade(silence[:0], noise, noise, 5.0).shape == (0,)
    for function in (lambda: add_noise(noise, silence[:0], 5.0), lambda: reverberate(noise, silence[:0])):
        with pytest.raises(ValueError, match="no samples"):
            function()
