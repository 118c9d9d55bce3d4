"""A check's figures come back as they were written; `made` is said only where the check was not whole."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.check_report import CheckReport
from edge_sv.artifacts.locate import asset_names, locate
from edge_sv.errors import DataError

REPORT = CheckReport(
    source="test",
    recordings=3,
    exact_segments=7,
    cosine_min=0.991,
    cosine_mean=0.995,
    default_kernels_cosine_min=0.99,
    trials=10,
    targets=2,
    eer_float=0.1,
    eer_int8=0.11,
    uncompressed={"cosine_min": 0.97, "cosine_mean": 0.98, "eer": 0.1},
    embeddings={"a": np.ones(3, np.float32)},
)


def test_comes_back_from_json() -> None:
    values = json.loads(json.dumps(REPORT.to_dict()))
    assert "embeddings" not in values and "made" not in values and values["bit_exact"] is True
    assert CheckReport.from_dict(values) == REPORT
    partly = dataclasses.replace(REPORT, made="reference", exact_segments=0)
    assert partly.to_dict()["made"] == "reference" and partly.to_dict()["bit_exact"] is False
    assert CheckReport.from_dict(partly.to_dict()) == partly


def test_cosine_to_float_is_to_the_net_before_compression() -> None:
    assert REPORT.cosine_to_float == 0.97
    assert dataclasses.replace(REPORT, uncompressed=None).cosine_to_float == 0.991


@pytest.mark.parametrize("values", [{}, {"cosine_min": 1}, {**REPORT.to_dict(), "unknown": 1}])
def test_a_damaged_record_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(DataError, match="record of a check is damaged"):
        CheckReport.from_dict(values)


def test_every_bundled_model_has_its_record() -> None:
    found = [load_artifact(path).provenance for name in asset_names() for path in locate(name).artifacts()]
    assert len(found) >= 30
    for provenance in found:
        assert provenance.check is not None
        assert provenance.check.to_dict() == {"uncompressed": None, **provenance.stated["check"]}
