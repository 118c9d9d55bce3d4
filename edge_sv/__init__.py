"""edge_sv: speaker verification nets, from a Keras model to a microcontroller that decides like the desktop.

    import edge_sv

    model = edge_sv.load("resnet-nano")
    ada = edge_sv.enroll(["a.wav", "b.wav", "c.wav"], model=model)
    print(edge_sv.verify(ada, "d.wav", model=model).accepted)

What people use is here by name and imported when it is first used; TensorFlow only where a float net runs.
"""

import importlib
from typing import TYPE_CHECKING, Any

from edge_sv.system.version import __version__

_NAMES = {
    "Build": ("pipeline.build", "Build"),
    "BuildRequest": ("pipeline.request", "BuildRequest"),
    "Decision": ("verification.verifier", "Decision"),
    "EdgeSvError": ("errors", "EdgeSvError"),
    "Emulation": ("emulation.report", "Emulation"),
    "Evaluation": ("evaluation.evaluate", "Evaluation"),
    "Model": ("embedders.model", "Model"),
    "ModelArtifact": ("artifacts.artifact", "ModelArtifact"),
    "VoicePrint": ("verification.voice_print", "VoicePrint"),
    "build": ("pipeline.build", "build_package"),
    "build_request": ("pipeline.request", "build_request"),
    "bundled_voices": ("scoring.speech_sample", "voice_paths"),
    "compare": ("verification.recordings", "compare"),
    "convert": ("pipeline.build", "convert_net"),
    "emulate": ("emulation.files", "emulate_package"),
    "enroll": ("verification.recordings", "enroll"),
    "evaluate": ("evaluation.files", "evaluate_files"),
    "load": ("embedders.model", "load"),
    "load_print": ("verification.voice_print", "load_print"),
    "save_print": ("verification.voice_print", "save_print"),
    "verify": ("verification.recordings", "verify"),
}
"""Public name -> module and name there."""

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _NAMES[name]
    value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})


if TYPE_CHECKING:
    from edge_sv.artifacts.artifact import ModelArtifact as ModelArtifact
    from edge_sv.embedders.model import Model as Model
    from edge_sv.embedders.model import load as load
    from edge_sv.emulation.files import emulate_package as emulate
    from edge_sv.emulation.report import Emulation as Emulation
    from edge_sv.errors import EdgeSvError as EdgeSvError
    from edge_sv.evaluation.evaluate import Evaluation as Evaluation
    from edge_sv.evaluation.files import evaluate_files as evaluate
    from edge_sv.pipeline.build import Build as Build
    from edge_sv.pipeline.build import build_package as build
    from edge_sv.pipeline.build import convert_net as convert
    from edge_sv.pipeline.request import BuildRequest as BuildRequest
    from edge_sv.pipeline.request import build_request as build_request
    from edge_sv.scoring.speech_sample import voice_paths as bundled_voices
    from edge_sv.verification.recordings import compare as compare
    from edge_sv.verification.recordings import enroll as enroll
    from edge_sv.verification.recordings import verify as verify
    from edge_sv.verification.verifier import Decision as Decision
    from edge_sv.verification.voice_print import VoicePrint as VoicePrint
    from edge_sv.verification.voice_print import load_print as load_print
    from edge_sv.verification.voice_print import save_print as save_print
