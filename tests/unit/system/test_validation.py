from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_sv.system.validation import LONGEST, explain_validation_error


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    bits: Annotated[int, Field(le=8)]


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> Whole:
        if sum(part.bits for part in self.parts) > 9:
            raise ValueError("too many bits in all")
        return self


def found(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(values)
    return explain_validation_error(caught.value, known=["bits", "parts"])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, {"parts": "is missing"}),
        ({"parts": []}, {"parts": "Tuple should have at least 1 item after validation, not 0 (got [])"}),
        # The part that is refused leaves none: that there is none is not told as well.
        ({"parts": [{"bits": 9}]}, {"parts.0.bits": "should be less than or equal to 8 (got 9)"}),
        ({"parts": [{"bits": 1, "bit": 2}]}, {"parts.0.bit": "unknown key; did you mean 'bits'?"}),
        ({"parts": [{"bits": 1}], "zzz": 2}, {"zzz": "unknown key"}),
        ({"parts": [{"bits": 8}, {"bits": 8}]}, {"file": "too many bits in all"}),
    ],
)
def test_words(values: dict[str, Any], told: dict[str, str]) -> None:
    assert found(values) == told


def test_long_values_are_cut() -> None:
    (words,) = found({"parts": "x" * 1000}).values()
    assert len(words) < LONGEST + 60 and words.endswith("...)")
