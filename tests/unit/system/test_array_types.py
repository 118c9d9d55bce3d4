"""A type's name says what values its arrays hold; arrays are handed to C by that type."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from edge_sv.system import array_types

NAMES = sorted(name for name in vars(array_types) if name[0].isupper())


def test_there_are_types() -> None:
    assert {"Int8", "Int16", "Float32"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_its_type(name: str) -> None:
    (scalar,) = get_args(get_args(getattr(array_types, name))[1])
    assert np.dtype(scalar) == np.dtype(name.lower())
    assert np.dtype(scalar).isnative
