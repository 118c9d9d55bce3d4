"""Arrays by the type of their values; shapes are told where they are used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
UInt8 = npt.NDArray[np.uint8]
Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
