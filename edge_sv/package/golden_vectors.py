"""Golden vectors: what every device must compute, from PCM to the embedding, made with the model that it gets."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.audio.recording import read_recording
from edge_sv.frontend.features import compute_features
from edge_sv.frontend.segments import mean_embedding
from edge_sv.runtimes.interpreter import Interpreter, run_each
from edge_sv.system.array_types import Float32, Int8, Int16
from edge_sv.system.bundled import assets_dir
from edge_sv.tflite.quantization import TensorFormat

SEED = 20
FIRST_FEATURES = 64
"""How many features the C vectors hold in float, to test quantization on the board."""


@dataclass(frozen=True, eq=False)
class GoldenVector:
    """One recording and everything that is computed from it.

    Args:
        name: an identifier in C, too.
        source: where the sound comes from, in words.
        sample_rate: Hz.
        pcm: (num_samples,) int16.
        features: (num_frames, num_mels) float32, normalized.
        input: (num_segments, frames, num_mels) int8.
        output: (num_segments, embedding_dim) int8.
        embedding: (embedding_dim,) float32 of length 1.
    """

    name: str
    source: str
    sample_rate: int
    pcm: Int16
    features: Float32
    input: Int8
    output: Int8
    embedding: Float32

    @property
    def num_segments(self) -> int:
        """Segments of the recording."""
        return len(self.input)

    @property
    def first_features(self) -> Float32:
        """(n,) the first features of the first segment, before quantization."""
        return self.features.ravel()[:FIRST_FEATURES]

    def files(self) -> dict[str, bytes]:
        """Return file name -> content; same vector, same bytes."""
        return {
            "pcm.wav": _wav(self.pcm, self.sample_rate),
            "features.npy": _npy(self.features),
            "input.npy": _npy(self.input),
            "input.bin": self.input.tobytes(),
            "output.npy": _npy(self.output),
            "output.bin": self.output.tobytes(),
            "embedding.npy": _npy(self.embedding),
        }


def make_vectors(
    artifact: ModelArtifact, formats: tuple[TensorFormat, TensorFormat], net: Interpreter
) -> list[GoldenVector]:
    """Make the golden vectors of a model: a synthetic buzz and, where bundled, a synthetic voice.

    Args:
        artifact: the model.
        formats: grids of its input and output.
        net: runs it as devices do, bit for bit.
    """
    num_samples = artifact.features.window_length + artifact.features.hop_length * (
        artifact.segments.frames + artifact.segments.hop_frames - 1
    )
    rate = artifact.features.sample_rate
    vectors = [_vector("buzz", f"synthetic, seed {SEED}", buzz(num_samples, rate), artifact, formats, net)]
    voice = next(iter(sorted((assets_dir() / "voices").glob("*.flac"))), None)
    if voice is not None:
        pcm = read_recording(voice, sample_rate=rate)[:num_samples]
        vectors.append(_vector("voice", f"bundled synthetic voice {voice.name}", pcm, artifact, formats, net))
    return vectors


def buzz(num_samples: int, sample_rate: int) -> Int16:
    """Make a sound with the spectrum of a voice: gliding harmonics under two formants, in syllables, with some noise.

    Returns:
        (num_samples,) int16; same arguments, same samples.
    """
    rng = np.random.default_rng(SEED)
    t = np.arange(num_samples) / sample_rate
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / sample_rate
    signal = 0.02 * rng.standard_normal(num_samples)
    for harmonic in range(1, 1 + int(min(3800, 0.45 * sample_rate) // 150)):
        frequency = harmonic * pitch_hz
        formants = sum(np.exp(-(((frequency - center) / 180) ** 2)) for center in (550, 1700))
        signal += (0.05 / harmonic + formants) * np.sin(harmonic * phase)
    syllables = 0.15 + 0.85 * np.sin(2 * np.pi * 1.8 * t) ** 2
    signal *= syllables
    return np.asarray(np.round(8000 * signal / np.abs(signal).max()), np.int16)


def _vector(
    name: str,
    source: str,
    pcm: Int16,
    artifact: ModelArtifact,
    formats: tuple[TensorFormat, TensorFormat],
    net: Interpreter,
) -> GoldenVector:
    features = compute_features(pcm, artifact.features)
    quantized = formats[0].quantize(artifact.segments.cut(features))
    output = run_each(net, quantized)
    embedding = mean_embedding(formats[1].dequantize(output))
    return GoldenVector(
        name=name,
        source=source,
        sample_rate=artifact.features.sample_rate,
        pcm=pcm,
        features=features,
        input=quantized,
        output=output,
        embedding=embedding,
    )


def _wav(pcm: Int16, sample_rate: int) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(pcm.astype("<i2").tobytes())
    return stream.getvalue()


def _npy(array: Float32 | Int8) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
