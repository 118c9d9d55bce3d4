"""Options that take one of a few names."""

from __future__ import annotations

from typing import Literal

import pytest

from edge_sv.cli.choices import parse_choice
from edge_sv.errors import UsageError

Size = Literal["small", "large"]


def test_a_known_name_or_none() -> None:
    assert parse_choice("size", "large", Size) == "large"
    assert parse_choice("size", None, Size) is None


def test_another_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown size 'lage'") as caught:
        parse_choice("size", "lage", Size)
    assert "did you mean 'large'?" in str(caught.value) and "large, small" in str(caught.value)
