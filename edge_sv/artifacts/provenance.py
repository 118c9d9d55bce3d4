"""Where a converted model comes from, and what was measured of it when it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from edge_sv.artifacts.check_report import CheckReport
from edge_sv.errors import DataError

Part = TypeVar("Part")


@dataclass(frozen=True)
class CalibrationSpeech:
    """The speech that set the ranges of activations.

    Args:
        source: where it comes from, for people.
        segments: how many; 0 where training set the ranges.
    """

    source: str
    segments: int


@dataclass(frozen=True)
class DevelopmentErrors:
    """What the model reaches on the pooled development lists that set its threshold.

    Args:
        trials: of the lists.
        targets: target trials among them.
        eer_cosine: equal error rate of cosine scores, a fraction.
        eer_as_norm: of AS-norm scores.
    """

    trials: int
    targets: int
    eer_cosine: float
    eer_as_norm: float


@dataclass(frozen=True)
class Provenance:
    """Where a converted model comes from: a typed view of what its file states.

    What is stated is kept word for word, also by a converter that states more, so that an artifact that is read and
    written again has the same bytes.

    Args:
        stated: JSON values.

    Raises:
        DataError: a part is damaged.
    """

    stated: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("calibration", "check", "development"):
            getattr(self, part)

    @property
    def float_sha256(self) -> str | None:
        """Identity of the float net that was converted."""
        return self.stated.get("float_sha256")

    @property
    def compression(self) -> Mapping[str, Any] | None:
        """The recipe, as its file states it; older models state its name alone."""
        return self.stated.get("compression")

    @cached_property
    def calibration(self) -> CalibrationSpeech | None:
        """The speech that set the ranges of activations."""
        return self._read("calibration", TypeAdapter(CalibrationSpeech).validate_python)

    @cached_property
    def check(self) -> CheckReport | None:
        """What the check stage measured."""
        return self._read("check", CheckReport.from_dict)

    @cached_property
    def development(self) -> DevelopmentErrors | None:
        """Errors on the lists that set the threshold."""
        return self._read("development", TypeAdapter(DevelopmentErrors).validate_python)

    def with_check(self, report: CheckReport) -> Provenance:
        """Return the same with what the check stage measured."""
        return Provenance({**self.stated, "check": report.to_dict()})

    def with_development(self, errors: DevelopmentErrors) -> Provenance:
        """Return the same with the errors on the lists that set the threshold."""
        return Provenance({**self.stated, "development": asdict(errors)})

    def _read(self, name: str, read: Callable[[Any], Part]) -> Part | None:
        values = self.stated.get(name)
        try:
            return None if values is None else read(values)
        except (ValidationError, AttributeError) as error:
            raise DataError(f"the provenance's '{name}' is damaged", details={"got": str(values)[:80]}) from error
