"""The constants of the device's front end, as numbers for the Python twins and as C for a package.

The integer path's formats, with f = 15 - window_shift fraction bits after the window:

- samples behind the window: Q(f). No sum of the FFT leaves 32 bits, because the windowed samples' magnitudes add up
  to less than 2^31 (see `_fraction_bits`); at 16 kHz and 25 ms f is 8, and nothing needs scaling on the way. The FFT's
  rounding errors are some tens of units at 512 points and grow with their number, so a quiet window's samples are
  doubled before, while they all fit: its logarithms take that back.
- powers: Q(2 f - power_shift), so that no band's weighted sum leaves 64 bits.
- window, sines and cosines: Q31; weights: Q15. Logarithms and means: Q24. Steps of the net's input: Q16.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import UsageError
from edge_sv.frontend.features import LOG_FLOOR, FeatureConfig, hann_window, mel_edges
from edge_sv.tflite.quantization import TensorFormat

WEIGHT_BITS = 15
LOG_BITS = 24
SCALE_BITS = 16

_SIZES = (16, 4096)
_LARGEST_MEAN = 64.0
_SMALLEST_SCALE = 1 / 256
_LARGEST_COUNT = 65535
_PCM_BITS = 15  # behind the point, for samples in [-1, 1)
_SLACK = 2**16  # what rounding can add to a sum of the FFT, and more

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FrontEndTables:
    """What `esv_features_config` and `esv_fft_tables` hold; their headers say what each field is."""

    fixed: bool
    size: int
    window_length: int
    window_shift: int
    power_shift: int
    window: Array
    turns: Array
    joins: Array
    order: Array
    hop_length: int
    num_mels: int
    first_bin: int
    prior_frames: int
    horizon_frames: int
    segment_bins: Array
    rising: Array
    mean_start: Array
    floor: int | float
    log_offset: int | float
    inverse_scale: int | float
    zero_point: int
    low: int
    high: int

    @property
    def points(self) -> int:
        """Points of the complex FFT."""
        return self.size // 2

    @property
    def first_radix(self) -> int:
        """Radix of the first step."""
        return _first_radix(self.points)


def check_streamable(config: FeatureConfig, grid: TensorFormat | None = None) -> None:
    """Refuse a front end that cannot run on a device as samples arrive.

    Raises:
        UsageError: it needs the whole recording, or a value is out of the C code's range.
    """
    if config.normalization == "utterance_mean":
        raise UsageError(
            "normalization 'utterance_mean' needs the whole recording; a device computes features as samples arrive",
            details={"got": "normalization = utterance_mean"},
            hint="train the net with normalization = running_mean",
        )
    problems = {
        f"fft_size must be {_SIZES[0]} to {_SIZES[1]}": not _SIZES[0] <= config.fft_size <= _SIZES[1],
        f"hops may have {_LARGEST_COUNT} samples": config.hop_length > _LARGEST_COUNT,
        f"horizon_frames may be {_LARGEST_COUNT}": config.horizon_frames > _LARGEST_COUNT,
        f"mean_start must lie in [-{_LARGEST_MEAN:g}, {_LARGEST_MEAN:g}]": any(
            not abs(value) <= _LARGEST_MEAN for value in config.mean_start
        ),
        f"the scale of the net's input must be at least {_SMALLEST_SCALE:g}": grid is not None
        and not _SMALLEST_SCALE <= grid.scale < math.inf,
    }
    for text, wrong in problems.items():
        if wrong:
            raise UsageError(f"no device runs this front end: {text}", details={"got": repr(config)})


def front_end_tables(config: FeatureConfig, grid: TensorFormat, *, fixed: bool) -> FrontEndTables:
    """Compute the tables of one path.

    Args:
        config: the front end.
        grid: the net's int8 input.
        fixed: the integer path; else float32.

    Raises:
        UsageError: see `check_streamable`.
    """
    check_streamable(config, grid)
    window = hann_window(config.window_length)
    turns, joins = _turns(config.fft_size)
    first_bin, segment_bins, rising = _segments(config)
    mean_start = np.array(config.mean_start or np.zeros(config.num_mels))
    running = config.normalization == "running_mean"
    low, high = grid.quantize(np.array([-config.clip, config.clip], np.float32)).tolist()
    even_window = np.append(window, np.zeros(len(window) % 2, np.float32))
    fraction = _fraction_bits(window)
    power_shift = _power_shift(window, config.fft_size, fraction)
    unit_bits = power_shift - 2 * fraction - WEIGHT_BITS - 2 * _PCM_BITS
    return FrontEndTables(
        fixed=fixed,
        size=config.fft_size,
        window_length=config.window_length,
        window_shift=15 - fraction if fixed else 0,
        power_shift=power_shift if fixed else 0,
        window=_rounded(even_window, 31, np.int32) if fixed else even_window * np.float32(2.0 ** -(_PCM_BITS + 1)),
        turns=_rounded(turns, 31, np.int32) if fixed else turns.astype(np.float32),
        joins=_rounded(joins, 31, np.int32) if fixed else joins.astype(np.float32),
        order=_order(config.fft_size // 2),
        hop_length=config.hop_length,
        num_mels=config.num_mels,
        first_bin=first_bin,
        prior_frames=min(config.prior_frames, config.horizon_frames) if running and config.mean_start else 0,
        horizon_frames=config.horizon_frames if running else 0,
        segment_bins=segment_bins,
        rising=_rounded(rising, WEIGHT_BITS, np.int16) if fixed else rising.astype(np.float32),
        mean_start=_rounded(mean_start, LOG_BITS, np.int32) if fixed else mean_start.astype(np.float32),
        floor=math.ceil(LOG_FLOOR / 2.0**unit_bits) if fixed else float(np.float32(LOG_FLOOR)),
        log_offset=round(unit_bits * math.log(2) * 2**LOG_BITS) if fixed else 0.0,
        inverse_scale=round(2**SCALE_BITS / grid.scale) if fixed else float(np.float32(1) / np.float32(grid.scale)),
        zero_point=grid.zero_point,
        low=low,
        high=high,
    )


def _rounded(values: Array, bits: int, dtype: type[np.integer[Any]]) -> Array:
    """Return values in Q(bits), saturated to a type."""
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.round(values.astype(np.float64) * 2**bits), limits.min, limits.max), dtype)


def _segments(config: FeatureConfig) -> tuple[int, Array, Array]:
    """Return the lowest bin, the bins between neighbouring peaks (num_mels + 1,), and each bin's rising weight.

    Bins 0 and fft_size / 2 have no weight in any front end: fmin and fmax are at most there.
    """
    edges = mel_edges(config.num_mels, config.fmin_hz, config.fmax_hz)
    bins = np.arange(1, config.fft_size // 2)
    hz = bins * (config.sample_rate / config.fft_size)
    inside = (hz > edges[0]) & (hz < edges[-1])
    segment = np.searchsorted(edges, hz[inside], side="right") - 1
    rising = (hz[inside] - edges[segment]) / (edges[segment + 1] - edges[segment])
    first = int(bins[inside][0]) if inside.any() else 1
    return first, np.bincount(segment, minlength=config.num_mels + 1).astype(np.uint16), rising


def _turns(size: int) -> tuple[Array, Array]:
    """Return exp(-2 pi i a) as (cosine, -sine) for the steps, (size / 8 - 1, 3, 2), and the join, (size / 4 - 1, 2)."""
    of_steps = np.arange(1, size // 8)[:, None] * np.array([1, 2, 3]) * (4 * np.pi / size)
    of_join = np.arange(1, size // 4) * (2 * np.pi / size)
    return (
        np.stack([np.cos(of_steps), -np.sin(of_steps)], axis=-1),
        np.stack([np.cos(of_join), -np.sin(of_join)], axis=-1),
    )


def _first_radix(points: int) -> int:
    return 4 if (points.bit_length() - 1) % 2 == 0 else 2


def _order(points: int) -> Array:
    """Return where the first step writes group n: the digits of n reversed, (points / first radix,)."""
    radix = _first_radix(points)
    remaining = np.arange(points // radix)
    place, weight = np.zeros_like(remaining), points
    while weight > radix:
        weight //= 4
        place += (remaining % 4) * weight
        remaining = remaining // 4
    return place.astype(np.uint16)


def _fraction_bits(window: Array) -> int:
    """Return the most bits behind the point that windowed samples can have without an overflow of 32 bits.

    Any value in the FFT is a sum of windowed samples, turned, so its magnitude is at most their magnitudes' sum; the
    transform of even samples alone, and of odd ones, occurs doubled.
    """
    weights = window.astype(np.float64)
    largest = max(weights.sum(), 2 * weights[::2].sum(), 2 * weights[1::2].sum()) * 2.0**_PCM_BITS
    return min(15, math.floor(math.log2((2.0**31 - _SLACK) / largest)))


def _power_shift(window: Array, size: int, fraction: int) -> int:
    """Return how many low bits of a bin's power to drop so that a band's weighted sum fits into 64 bits.

    Parseval: the powers of all bins add up to size * sum of squared samples; each bin that a band uses has a mirror.
    """
    squares = float(np.sum(window.astype(np.float64) ** 2)) * 2.0 ** (2 * (_PCM_BITS + fraction))
    return max(0, math.ceil(math.log2(size / 2 * squares * 1.01) + WEIGHT_BITS - 64))


def features_source(config: FeatureConfig, grid: TensorFormat, *, prefix: str) -> str:
    """Write the front end's constants as one C file that defines `const esv_features_config PREFIX_features`.

    The file holds both paths; the preprocessor takes the one that `esv_fft.h` chooses. Same arguments, same text.

    Args:
        config: the front end.
        grid: the net's int8 input.
        prefix: of the names.

    Raises:
        UsageError: see `check_streamable`.
    """
    fixed, single = (_path_source(front_end_tables(config, grid, fixed=path), prefix) for path in (True, False))
    return f"""#include "esv_features.h"

#if ESV_FEATURES_FIXED

{fixed}
#else

{single}
#endif
"""


_STRUCTS = ("esv_fft_turn",)
_ARRAYS = {
    "window": "esv_fft_weight",
    "turns": "esv_fft_turn",
    "joins": "esv_fft_turn",
    "order": "uint16_t",
    "segment_bins": "uint16_t",
    "rising": "esv_features_weight",
    "mean_start": "esv_features_value",
}


def _path_source(tables: FrontEndTables, prefix: str) -> str:
    arrays = "\n".join(_array_source(f"{prefix}_{name}", kind, getattr(tables, name)) for name, kind in _ARRAYS.items())
    fft = ["size", "window_length", "window_shift", "power_shift", "window", "turns", "joins", "order"]
    rest = ["hop_length", "num_mels", "first_bin", "prior_frames", "horizon_frames", "segment_bins", "rising"]
    rest += ["mean_start", "floor", "log_offset", "inverse_scale", "zero_point", "low", "high"]

    def line(name: str) -> str:
        value = f"{prefix}_{name}" if name in _ARRAYS else _number(getattr(tables, name))
        return f"{value}, /* {name} */"

    members = "\n".join(
        ["    {", *(f"        {line(name)}" for name in fft), "    },", *(f"    {line(n)}" for n in rest)]
    )
    name = f"const esv_features_config {prefix}_features"
    return f"{arrays}\nextern {name};\n{name} = {{\n{members}\n}};\n"


def _array_source(name: str, kind: str, values: Array) -> str:
    """Write an array of numbers, or of structs for (..., n, members)."""
    numbers = _initializers(values) or ["0"]
    text = textwrap.fill(", ".join(numbers) + ",", 116, break_on_hyphens=False)
    extents = "".join(f"[{extent}]" for extent in values.shape[1 : values.ndim - (kind in _STRUCTS)])
    return f"static const {kind} {name}[]{extents} = {{\n{textwrap.indent(text, '    ')}\n}};\n"


def _initializers(values: Array) -> list[str]:
    if values.ndim == 1:
        return [_number(value) for value in values.tolist()]
    return [f"{{{', '.join(_initializers(row))}}}" for row in values]


def _number(value: int | float) -> str:
    """Write an integer, or a float32 in the nine digits that tell it from all others."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
