"""The pretrained 314,000-weight int8 reference net that training may start from or distil.

Source: github.com/nyangmeong/max78000-speaker-verification (MIT), trained on VoxCeleb2 by its author. Its weights
arrive as `weights.npz`: `<layer>.w` int8 (out, in, mel, time), `<layer>.b` int8, `<layer>.shift`; every layer computes

    y = clip(floor(1/2 + (sum(w x) + 128 b) 2^shift / 128), -128, 127).

Two ways to run it: `run_integer` is that arithmetic, `build_reference` the same net in float, in units where its
largest activation, 127, is 6: the integer net's saturation becomes ReLU6 (without it the float net is a different,
worse one).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tf_keras

from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, log_mel
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.models.layer_names import EMBEDDING, STEM
from edge_sv.models.resnet import ResNetConfig, build_resnet
from edge_sv.system.array_types import Float32, Int8, Int16, Int64
from edge_sv.system.code_version import code_identity
from edge_sv.system.files import sha256_file
from edge_sv.system.npz import read_arrays

INPUT_CLIP = 6.8
UNIT = 6.0 / 127
REFERENCE_CONFIG = ResNetConfig(
    stem_channels=16,
    stage_channels=(16, 32, 64, 128),
    stage_blocks=(1, 1, 1, 1),
    downsample=("max_pool", "max_pool", "max_pool", "none"),
    batch_norm=False,
    relu_limit=6.0,
    pooling="mean_time_freq",
    embedding_dim=64,
)
LAYERS = {
    "stem": STEM,
    "s1c1": "stage1_block1_conv1",
    "s1c2": "stage1_block1_conv2",
    "s2c1": "stage2_block1_conv1",
    "s2c2": "stage2_block1_conv2",
    "s2sc": "stage2_block1_shortcut",
    "s3c1": "stage3_block1_conv1",
    "s3c2": "stage3_block1_conv2",
    "s3sc": "stage3_block1_shortcut",
    "s4c1": "stage4_block1_conv1",
    "s4c2": "stage4_block1_conv2",
    "s4sc": "stage4_block1_shortcut",
    "fc": EMBEDDING,
}


def load_reference_weights(path: Path) -> dict[str, npt.NDArray[np.int8]]:
    """Read `weights.npz`.

    Raises:
        DataError: not there, or not this net.
    """
    weights = read_arrays(path)
    missing = {f"{layer}.{part}" for layer in LAYERS for part in ("w", "b", "shift")} - set(weights)
    if missing:
        raise DataError(f"{path} is not the reference net", details={"missing": ", ".join(sorted(missing)[:4])})
    return weights


def build_reference(path: Path, *, frames: int | None = 128) -> tf_keras.Model:
    """Build the reference net in float: (batch, frames, 80, 1) log-mel minus mean, in nepers -> (batch, 64).

    Raises:
        DataError: `path` is not the reference net.
    """
    weights = load_reference_weights(path)
    model = build_resnet(REFERENCE_CONFIG, frames=frames, num_mels=80)
    for layer, name in LAYERS.items():
        gain = 2.0 ** float(weights[f"{layer}.shift"]) / 128
        kernel = weights[f"{layer}.w"].astype(np.float32).transpose(3, 2, 1, 0) * gain
        if layer == "stem":
            kernel = kernel * (127 / INPUT_CLIP) * UNIT
        bias = weights[f"{layer}.b"].astype(np.float32) * (128 * gain * UNIT)
        try:
            model.get_layer(name).set_weights([kernel, bias])
        except ValueError as error:
            raise DataError(f"{path} is not the reference net", details={"got": str(error)}) from error
    return model


def run_integer(weights: dict[str, npt.NDArray[np.int8]], image: Int8, *, pool_first: bool = False) -> Int8:
    """Run the net in its own integer arithmetic.

    Args:
        weights: from `load_reference_weights`.
        image: (80, frames) int8, mel by time.
        pool_first: max-pool before the stem, the order of the chip's known-answer test; the net was trained with
            the pool after it, which is far better.

    Returns:
        (64,) int8.
    """

    def layer(x: Int64, name: str) -> Int64:
        return _run_layer(x, *(weights[f"{name}.{part}"] for part in ("w", "b", "shift")))

    def block(x: Int64, stage: int) -> Int64:
        shortcut = x if stage == 1 else layer(x, f"s{stage}sc")
        y = layer(np.maximum(layer(x, f"s{stage}c1"), 0), f"s{stage}c2")
        return np.asarray(np.clip(shortcut + y, 0, 127), np.int64)

    x = image[None].astype(np.int64)
    x = np.maximum(layer(_pool(x), "stem"), 0) if pool_first else _pool(np.maximum(layer(x, "stem"), 0))
    x = _pool(block(x, 1))
    x = _pool(block(x, 2))
    x = block(block(x, 3), 4)
    mean = np.floor(x.sum(axis=(1, 2)) / (x.shape[1] * x.shape[2])).astype(np.int64)
    return layer(mean[:, None, None], "fc")[:, 0, 0].astype(np.int8)


def _run_layer(
    x: Int64, kernel: npt.NDArray[np.int8], bias: npt.NDArray[np.int8], shift: npt.NDArray[np.int8]
) -> Int64:
    """Convolve (inputs, height, width) with (outputs, inputs, rows, columns); round half up, saturate to int8."""
    kernel = kernel.astype(np.int64)
    pad = kernel.shape[2] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
    total = np.einsum("ihwkl,oikl->ohw", windows, kernel, optimize=True)
    total = total + 128 * bias.astype(np.int64)[:, None, None]
    scaled = total.astype(np.float64) * 2.0 ** float(shift) / 128
    rounded: Int64 = np.clip(np.floor(0.5 + scaled), -128, 127).astype(np.int64)
    return rounded


def _pool(x: Int64) -> Int64:
    """Take the largest of each 2 x 2 square."""
    c, h, w = x.shape
    pooled: Int64 = x[:, : h // 2 * 2, : w // 2 * 2].reshape(c, h // 2, 2, w // 2, 2).max(axis=(2, 4))
    return pooled


class ReferenceEmbedder:
    """The reference net with its author's own front end, as an `Embedder`.

    Segments of 20,720 samples every 8,000, the last one at the recording's end; a shorter recording is padded with
    silence on both sides. The 512-point FFT frames a segment 127 times; a row of zeros makes it 128; each band's mean
    over the 128 rows is subtracted. Embeddings are averaged without length normalization.
    """

    segment_samples = 20720
    segment_hop = 8000
    embedding_dim = 64

    def __init__(self, path: Path) -> None:
        self.features = FeatureConfig(num_mels=80, normalization="utterance_mean", clip=INPUT_CLIP)
        self.segments = SegmentRule(frames=128, hop_frames=50)
        self._model = build_reference(path)
        self.model_sha256 = sha256_file(path)

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        return code_identity(__name__, libraries=("numpy", "tensorflow", "tf_keras"))

    def images(self, pcm: Int16) -> Float32:
        """Compute the net's input of a recording: (num_segments, 128, 80) float32."""
        if len(pcm) < self.segment_samples:
            missing = self.segment_samples - len(pcm)
            pcm = np.pad(pcm, (missing // 2, missing - missing // 2))
        last = len(pcm) - self.segment_samples
        starts = [*range(0, last, self.segment_hop), last]
        return np.stack([self._image(pcm[start : start + self.segment_samples]) for start in starts])

    def _image(self, pcm: Int16) -> Float32:
        # The author's window is centred in the FFT: (512 - 400) / 2 samples later than ours.
        frames = log_mel(np.pad(pcm[56:], (0, 56)), self.features, floor=1e-9)[:127]
        rows = np.pad(frames, ((0, 1), (0, 0)))
        return np.asarray(np.clip(rows - rows.mean(axis=0), -INPUT_CLIP, INPUT_CLIP), np.float32)

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording: (num_samples,) int16 -> (64,) float32 of length 1."""
        outputs = self._model(self.images(pcm)[..., None], training=False).numpy()
        return normalize_length(outputs.mean(axis=0))
