"""The `tflite` package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.embedders import LiteRTEmbedder
from edge_sv.package import DevicePackage
from edge_sv.package.golden_vectors import buzz


def test_the_readme_s_python_runs(packages: dict[str, DevicePackage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(packages["tflite"].path)
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"pcm": buzz(24000, 16000)}
    exec(code, names)
    np.testing.assert_array_equal(names["embedding"], LiteRTEmbedder(packages["tflite"].artifact).embed(names["pcm"]))
