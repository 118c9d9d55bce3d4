"""The grid of an int8 tensor."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.runtimes.interpreter import describe_tensor
from edge_sv.tflite.quantization import TensorFormat


def test_rounds_half_away_from_zero_and_saturates() -> None:
    grid = TensorFormat((1,), 0.5, 3)
    values = np.array([0.25, -0.25, 0.2, -0.2, 100, -100, 0.75], np.float32)
    np.testing.assert_array_equal(grid.quantize(values), [4, 2, 3, 3, 127, -128, 5])
    np.testing.assert_array_equal(grid.dequantize(np.array([4, 3, -128], np.int8)), [0.5, 0, -65.5])


def test_a_description_is_read() -> None:
    assert TensorFormat.from_details(describe_tensor(0, (1, 4), "int8", (0.5, -3))) == TensorFormat((1, 4), 0.5, -3)


@pytest.mark.parametrize(("dtype", "grid"), [("int16", (0.5, 0)), ("int8", None), ("float32", None)])
def test_other_tensors_are_refused(dtype: str, grid: tuple[float, int] | None) -> None:
    with pytest.raises(DataError, match="must be int8 tensors with one scale"):
        TensorFormat.from_details(describe_tensor(0, (1, 4), dtype, grid))
