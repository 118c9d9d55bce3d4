"""The device's front end in Python, bit for bit: PCM in, the net's int8 input frames out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sv.frontend import fixed_point, float32
from edge_sv.frontend.constants import front_end_tables
from edge_sv.frontend.features import FeatureConfig, check_pcm
from edge_sv.system.array_types import Int8, Int16
from edge_sv.tflite.quantization import TensorFormat


def device_frames(pcm: Int16, config: FeatureConfig, grid: TensorFormat, *, fixed: bool = False) -> Int8:
    """Compute what the device's net gets for a recording.

    Args:
        pcm: (num_samples,) int16 at config.sample_rate.
        config: the front end.
        grid: the net's int8 input.
        fixed: the integer path, which cores without a floating-point unit run; else the float32 path.

    Returns:
        (num_frames, num_mels) int8.

    Raises:
        UsageError: no device runs this front end, see `check_streamable`; or an array of another shape or type.
    """
    check_pcm(pcm)
    tables = front_end_tables(config, grid, fixed=fixed)
    if config.num_frames(len(pcm)) == 0:
        return np.empty((0, config.num_mels), np.int8)
    windows: npt.NDArray[np.int16] = np.lib.stride_tricks.sliding_window_view(pcm, config.window_length)
    windows = windows[:: config.hop_length]
    return fixed_point.quantized(windows, tables) if fixed else float32.quantized(windows, tables)
