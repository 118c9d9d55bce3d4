"""Recordings: what can be read is read exactly, what cannot be used is refused with the reason."""

from __future__ import annotations

import csv
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_sv.audio import recording
from edge_sv.errors import DataError

RATE = 16000
pcm_arrays = hnp.arrays(np.int16, st.integers(1, 2000))
seeded = settings(deadline=None, derandomize=True)
reuse_folder = settings(seeded, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def babble(seconds: float, *, rate: int = RATE, level_dbfs: float = -20.0, seed: int = 0) -> recording.Float32:
    """Make something with speech's levels: harmonics of a voice, on and off four times a second, in [-1, 1]."""
    t = np.arange(round(seconds * rate)) / rate
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 20)
    voice = sum(np.cos(2 * np.pi * 140 * k * t + phases[k - 1]) / k for k in range(1, 21))
    signal = voice * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t))
    return np.asarray(signal * 10 ** (level_dbfs / 20) / np.sqrt(np.mean(signal**2)), np.float32)


def noise(seconds: float, level_dbfs: float) -> recording.Int16:
    samples = np.random.default_rng(1).normal(0, 10 ** (level_dbfs / 20), round(seconds * RATE))
    return recording.to_int16(samples.astype(np.float32))


def tone(hertz: float, seconds: float, *, rate: int = RATE, amplitude: float = 0.5) -> recording.Float32:
    return np.asarray(amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.float32)


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@reuse_folder
@given(pcm=pcm_arrays)
def test_lossless_16_bit_files_are_read_exactly(tmp_path: Path, suffix: str, pcm: recording.Int16) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, pcm, RATE, subtype="PCM_16")
    np.testing.assert_array_equal(recording.read_recording(path), pcm)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("FLAC", "PCM_24"), ("WAVEX", "PCM_24"),
     ("RF64", "PCM_16"), ("AIFF", "PCM_16")],
)  # fmt: skip
def test_wider_samples_are_rounded_to_the_nearest(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / "a.sound"
    signal = babble(1.0)
    soundfile.write(path, signal, RATE, format=container, subtype=subtype)
    error = recording.read_recording(path) - signal.astype(np.float64) * 32768
    assert np.abs(error).max() <= (1.0 if subtype == "PCM_16" else 0.5 + 2**-7)


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_files_sound_the_same(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / "a.sound"
    signal = babble(2.0)
    soundfile.write(path, signal, RATE, format=container, subtype=subtype)
    pcm = recording.read_recording(path)
    middle = slice(RATE // 2, 3 * RATE // 2)
    lags = [np.corrcoef(np.roll(pcm, -lag)[middle], signal[middle])[0, 1] for lag in range(0, 1200, 1)]
    assert max(lags) > 0.98
    assert abs(len(pcm) - len(signal)) < 2400


@seeded
@given(hnp.arrays(np.float32, 50, elements=st.floats(-4, 4, width=32)))
def test_conversion_rounds_to_the_nearest_and_saturates(samples: recording.Float32) -> None:
    pcm = recording.to_int16(samples).astype(np.float64)
    inside = np.clip(samples.astype(np.float64) * 32768, -32768, 32767)
    assert np.abs(pcm - inside).max() <= 0.5


@seeded
@given(hnp.arrays(np.int16, 100))
def test_every_16_bit_value_survives_conversion(pcm: recording.Int16) -> None:
    np.testing.assert_array_equal(recording.to_int16(pcm.astype(np.float32) / 32768), pcm)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = babble(1.0, seed=1), babble(1.0, seed=2)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    expected = recording.to_int16((left + right) / 2)
    np.testing.assert_allclose(recording.read_recording(tmp_path / "stereo.wav"), expected, atol=1)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_resampling_keeps_the_speech_band(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, 1.0, rate=rate), rate, subtype="FLOAT")
    pcm = recording.read_recording(tmp_path / "a.wav")
    assert len(pcm) == RATE
    middle = slice(2000, -2000)
    error = pcm[middle] / 32768 - tone(1000, 1.0)[middle]
    assert 20 * np.log10(np.abs(error).max() / 0.5) < -80


def test_resampling_lets_nothing_alias(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(9500, 1.0, rate=44100), 44100, subtype="FLOAT")
    assert np.abs(recording.read_recording(tmp_path / "a.wav")[2000:-2000]).max() <= 1


def test_the_rate_is_the_callers(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", babble(1.0), RATE)
    assert len(recording.read_recording(tmp_path / "a.wav", sample_rate=8000)) == 8000


def test_joining_keeps_order_and_length() -> None:
    a, b = np.arange(5, dtype=np.int16), np.arange(3, dtype=np.int16)
    np.testing.assert_array_equal(recording.join([a, b]), [0, 1, 2, 3, 4, 0, 1, 2])
    assert recording.join([]).shape == (0,)
    assert recording.join([a, b]).dtype == np.int16


# --- files that are no recording -------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        recording.read_recording(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return str(caught.value)


def test_what_is_not_a_recording_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("Dear diary, today I renamed a text file.\n" * 50)
    (tmp_path / "riff.wav").write_bytes(b"RIFF\x24\0\0\0WAVE")
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.int16), RATE)
    soundfile.write(tmp_path / "slow.wav", np.zeros(100, np.int16), 100)
    assert "No such file" in refusal(tmp_path / "missing.wav")
    assert "Is a directory" in refusal(tmp_path)
    assert "is empty" in refusal(tmp_path / "empty.wav")
    assert "not a readable sound file" in refusal(tmp_path / "text.wav")
    assert "not a readable sound file" in refusal(tmp_path / "riff.wav")
    assert "holds no samples" in refusal(tmp_path / "none.wav")
    assert "100 Hz" in refusal(tmp_path / "slow.wav")


def test_a_small_file_of_many_hours_is_refused_before_memory_is_short(tmp_path: Path) -> None:
    path = tmp_path / "night.flac"
    with soundfile.SoundFile(path, "w", 4000, 1, subtype="PCM_16") as sound:
        for _ in range(13):
            sound.write(np.zeros(4000 * 600, np.int16))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is too long") as caught:
            recording.read_recording(path, sample_rate=4000)
        assert caught.value.details["got"] == "more than 2 hours"
        assert tracemalloc.get_traced_memory()[1] < 3 * 2 * 4000 * 7200
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_reading_in_blocks_gives_the_bits_of_reading_at_once(
    tmp_path: Path, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = np.stack([babble(3.0)[: 2 * rate], babble(3.0)[::-1][: 2 * rate]], axis=1).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", signal, rate, subtype="FLOAT")
    whole = soxr.resample(signal.mean(axis=1, dtype=np.float32), rate, RATE, quality="HQ")
    for samples in (999, 1 << 20):
        monkeypatch.setattr(recording, "_BLOCK_SAMPLES", samples)
        got = recording.read_recording(tmp_path / "a.wav", sample_rate=RATE)
        np.testing.assert_array_equal(got, recording.to_int16(whole))


@pytest.mark.filterwarnings("error")
def test_samples_far_beyond_full_scale_saturate_without_a_word() -> None:
    samples = np.array([3e38, -3e38, 0], np.float32)
    assert recording.to_int16(samples).tolist() == [32767, -32768, 0]


def test_levels_of_a_long_recording_are_those_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pcm = recording.to_int16(babble(3.0).astype(np.float32))
    whole = recording.speech_seconds(pcm)
    monkeypatch.setattr(recording, "_BLOCK_FRAMES", 7)
    assert recording.speech_seconds(pcm) == whole > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, value: float) -> None:
    signal = babble(1.0)
    signal[7:10] = value
    soundfile.write(tmp_path / "a.wav", signal, RATE, subtype="FLOAT")
    assert "3 of 16000 samples are NaN or infinite" in refusal(tmp_path / "a.wav")


def test_a_cut_off_wav_is_refused_with_both_lengths(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, babble(2.0), RATE, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: -RATE * 2])
    assert "1.00 of 2.00 s" in refusal(path)


@pytest.mark.parametrize(
    ("container", "subtype", "endian"),
    [("WAV", "PCM_16", "FILE"), ("WAV", "PCM_16", "BIG"), ("WAVEX", "PCM_24", "FILE"), ("WAV", "FLOAT", "FILE"),
     ("RF64", "PCM_16", "FILE"), ("FLAC", "PCM_16", "FILE")],
)  # fmt: skip
@reuse_folder
@given(data=st.data())
def test_a_file_cut_anywhere_is_never_read(
    tmp_path: Path, container: str, subtype: str, endian: str, data: st.DataObject
) -> None:
    path = tmp_path / "a.sound"
    soundfile.write(path, babble(0.1), RATE, format=container, subtype=subtype, endian=endian)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refusal(path)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG"])
@reuse_folder
@given(data=st.data())
def test_damaged_bytes_give_a_refusal_or_samples_but_no_other_error(
    tmp_path: Path, container: str, data: st.DataObject
) -> None:
    path = tmp_path / "a.sound"
    soundfile.write(path, babble(0.1), RATE, format=container)
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, min(len(content), 120) - 1), max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert recording.read_recording(path).dtype == np.int16
    except DataError as error:
        assert error.hint


def test_a_header_that_promises_more_than_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, babble(0.1), RATE)
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # STREAMINFO: the 36 bits of the number of samples
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("size", [0, 0x7FFFF024, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_wav_that_was_written_to_a_pipe_is_read_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    pcm = recording.to_int16(babble(1.0))
    soundfile.write(path, pcm, RATE)
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack("<I", size)
    content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)
    np.testing.assert_array_equal(recording.read_recording(path), pcm)


def test_chunks_before_and_after_the_samples_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    pcm = recording.to_int16(babble(0.5))
    soundfile.write(path, pcm, RATE)
    content = path.read_bytes()
    note = b"note" + struct.pack("<I", 3) + b"odd\0"  # chunks are padded to an even length
    path.write_bytes(content[:12] + note + content[12:] + note)
    np.testing.assert_array_equal(recording.read_recording(path), pcm)


# --- recordings without usable speech --------------------------------------------------------------------------------


def complaint(pcm: recording.Int16) -> str:
    with pytest.raises(DataError) as caught:
        recording.check_speech(pcm, name="me.wav")
    assert caught.value.message.startswith("me.wav is ")
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("level_dbfs", [-50, -40, -20])
def test_speech_is_accepted_at_any_usual_level(level_dbfs: float) -> None:
    recording.check_speech(recording.to_int16(babble(1.0, level_dbfs=level_dbfs)))


def test_silence_is_refused_with_its_peak() -> None:
    assert "me.wav is silent" in complaint(np.zeros(2 * RATE, np.int16))
    assert "peak -inf dBFS" in complaint(np.zeros(2 * RATE, np.int16))
    faint = noise(2.0, -70)
    assert f"peak {20 * np.log10(np.abs(faint).max() / 32768):.0f} dBFS" in complaint(faint)


def test_an_offset_and_a_mains_hum_are_silence() -> None:
    assert "silent" in complaint(np.full(2 * RATE, 8000, np.int16))
    for hertz in (50, 60):
        assert "silent" in complaint(recording.to_int16(tone(hertz, 2.0, amplitude=0.05)))


def test_a_click_is_not_speech() -> None:
    pcm = noise(2.0, -80)
    pcm[5000:5020] = 30000
    assert "0.03 s of speech in 2.00 s" in complaint(pcm)


@pytest.mark.parametrize("num_samples", [0, 1, 399, 400, 7999])
def test_less_than_half_a_second_is_refused(num_samples: int) -> None:
    assert "too short" in complaint(recording.to_int16(babble(1.0))[:num_samples])


def test_pauses_do_not_count_as_speech() -> None:
    word = recording.to_int16(babble(0.4))
    silence = noise(1.0, -75)
    assert "0.40 s of speech in 2.40 s" in complaint(recording.join([silence, word, silence]))
    recording.check_speech(recording.join([silence, word, silence, word]))


def test_a_short_sentence_in_a_long_recording_is_found() -> None:
    pcm = recording.join([noise(30.0, -60), recording.to_int16(babble(1.0)), noise(30.0, -60)])
    assert recording.speech_seconds(pcm) == pytest.approx(1.0, abs=0.06)


def test_heavy_clipping_is_refused_and_a_little_is_not() -> None:
    signal = babble(1.0) / np.abs(babble(1.0)).max()
    recording.check_speech(recording.to_int16(signal * 10 ** (3 / 20)))
    assert "clipped" in complaint(recording.to_int16(signal * 10 ** (30 / 20)))


@seeded
@given(pcm=hnp.arrays(np.int16, st.integers(0, 3000)), rate=st.sampled_from([4000, 8000, 11025, 16000, 48000]))
def test_measures_are_within_their_bounds(pcm: recording.Int16, rate: int) -> None:
    assert 0 <= recording.speech_seconds(pcm, sample_rate=rate) <= len(pcm) / rate + 1e-9
    assert 0 <= recording.clipped_share(pcm) <= 1
    assert recording.peak_dbfs(pcm) <= 0


@seeded
@given(hnp.arrays(np.int16, st.integers(2000, 6000), elements=st.integers(-8000, 8000)), st.integers(0, 4000))
def test_silence_around_speech_changes_nothing(pcm: recording.Int16, num_zeros: int) -> None:
    zeros = np.zeros(num_zeros // 400 * 400, np.int16)  # whole frames, so that the speech's frames stay the same
    whole = pcm[: len(pcm) // 400 * 400]
    assert recording.speech_seconds(recording.join([zeros, whole, zeros])) == recording.speech_seconds(whole)


def test_an_utterance_of_several_files_is_joined_before_it_is_judged(tmp_path: Path) -> None:
    paths = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for path in paths:
        soundfile.write(path, babble(0.3), RATE)
    assert len(recording.read_speech(paths)) == round(0.6 * RATE)
    with pytest.raises(DataError, match=r"one\.wav is too short"):
        recording.read_speech(paths[:1])


# --- real speech -----------------------------------------------------------------------------------------------------


def test_real_utterances_are_accepted(speech_data: Path) -> None:
    index = [row for row in _rows(speech_data / "index.csv") if row["split"] == "test"]
    utterances = [[speech_data / row["path"]] for row in index if row["corpus"] in ("so762", "libri")]
    for corpus in ("sc12", "dsp20", "fsdd"):
        for row in _rows(speech_data / corpus / "utterances.csv"):
            if row["split"] == "test":
                utterances.append([speech_data / corpus / name for name in row["files"].split("|")])
    assert len(utterances) > 1000
    for paths in utterances[::12]:
        recording.read_speech(paths)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
