"""Voice prints for tests."""

from __future__ import annotations

import hashlib

import numpy as np

from edge_sv.verification.voice_print import VoicePrint

SHA = hashlib.sha256(b"a model").hexdigest()


def make_print(**changes: object) -> VoicePrint:
    values = {"embedding": np.linspace(-1, 1, 8), "model_sha256": SHA, "recordings": 3, "name": "Ada"}
    return VoicePrint(**{**values, **changes})  # type: ignore[arg-type]
