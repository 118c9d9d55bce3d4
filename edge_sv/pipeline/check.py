"""The third stage: a converted model, compared with the float net it was made from and with the device's arithmetic."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sv.artifacts.artifact import ModelArtifact, artifact_files, load_artifact, save_artifact
from edge_sv.artifacts.check_report import CheckKind, CheckReport
from edge_sv.artifacts.net import net_sha256
from edge_sv.errors import DataError, EdgeSvError
from edge_sv.pipeline.check_conversion import check_artifact, check_bit_exact, compare_with_float
from edge_sv.pipeline.convert import Converted
from edge_sv.pipeline.inputs import speech_inputs
from edge_sv.pipeline.request import ConversionRequest
from edge_sv.pipeline.stage import Stage
from edge_sv.pipeline.thresholds import set_scoring
from edge_sv.plugins.converter import find_converter
from edge_sv.scoring.speech_sample import SpeechSample, check_sample
from edge_sv.system.extras import has_extra
from edge_sv.system.files import sha256_bytes
from edge_sv.system.progress import Steps

CODE = ("edge_sv.pipeline.check_conversion", "edge_sv.pipeline.thresholds", "edge_sv.scoring.speech_sample")
LIBRARIES = ("ai-edge-litert", "numpy", "tensorflow", "tf_keras", "tflite-micro")


@dataclass(frozen=True)
class Checked:
    """A converted model that passed the check, and what the check measured."""

    artifact: ModelArtifact
    report: CheckReport


def check_stage(
    request: ConversionRequest, *, out: Path | None = None, steps: Steps | None = None
) -> Stage[Converted, Checked]:
    """Make the stage; with development lists in the data it also sets the model's threshold and cohort.

    Without data the bundled synthetic voices are used. A converted model whose float net is not at hand must have been
    checked when it was made; then only its bit-exactness is checked again.

    Args:
        request: what is checked.
        out: where the checked artifact is wanted besides the cache.
        steps: reports the steps within.
    """
    kind, speech = request.check or strongest_check(), speech_inputs(request.data)

    def make(before: Converted, folder: Path, _scratch: Path) -> None:
        checked = _check(request, before, kind, steps)
        save_artifact(folder / "artifact", checked.artifact)
        (folder / "check.json").write_text(json.dumps(checked.report.to_dict()))

    return Stage(
        name="check",
        intent=f"on {request.data}" if request.data else "on the bundled synthetic voices",
        code=CODE,
        libraries=LIBRARIES,
        inputs=lambda before: [
            artifact_identity(before.artifact),
            [net and net_sha256(net) for net in (before.net, request.model.net)],
            speech(),
            [kind, request.micro, request.scoring, request.false_accept_rate],
        ],
        make=make,
        read=lambda _, folder: _read(folder),
        note=_note,
        place=functools.partial(_place, out) if out is not None else None,
    )


def _place(out: Path, checked: Checked) -> tuple[Checked, bool]:
    if _is_there(out, checked.artifact):
        return checked, False
    save_artifact(out, checked.artifact)
    return checked, True


def strongest_check() -> CheckKind:
    """Return the strongest check that the installed packages allow."""
    return "full" if has_extra("train") and has_extra("micro") else "reference"


def artifact_identity(artifact: ModelArtifact) -> dict[str, str]:
    """Describe an artifact for a stage's key: the sha256 of each of its files."""
    return {name: sha256_bytes(data) for name, data in artifact_files(artifact).items()}


def _check(request: ConversionRequest, converted: Converted, kind: CheckKind, steps: Steps | None) -> Checked:
    """Make the check of some kind.

    Raises:
        AccuracyGateFailed: the model does not compute what the float net computes, or the device something else.
        DataError: it was never checked, and what would be needed to check it is not at hand; or unusable data.
    """
    artifact, net = converted.artifact, converted.net
    if kind == "recorded":
        return Checked(artifact, replace(recorded_check(artifact), made=kind))
    data = check_sample(request.data)
    micro = request.micro and kind == "full"
    if net is None or (kind == "reference" and not has_extra("train")):
        report = recorded_check(artifact)
        if micro:
            check_bit_exact(artifact, data)
        return Checked(artifact, replace(report, made=kind))
    report = _compare(request, converted, net, data, micro=micro, steps=steps)
    if kind == "reference":
        report = replace(report, made=kind)
    if request.data is not None:
        artifact = set_scoring(
            artifact,
            report,
            data,
            request.data,
            kind=request.scoring,
            false_accept_rate=request.false_accept_rate,
            steps=steps,
        )
    return Checked(artifact, report)


def _compare(
    request: ConversionRequest, converted: Converted, net: Path, data: SpeechSample, *, micro: bool, steps: Steps | None
) -> CheckReport:
    """Compare with the float net that was converted, and with that before its compression."""
    converter = find_converter(request.converter)
    report = check_artifact(
        converted.artifact, net, data, float_model=lambda: converter.convert_float(net), micro=micro, steps=steps
    )
    if request.recipe.compresses and request.model.net is not None:
        report = compare_with_float(report, request.model.net, data, steps=steps)
    return report


def recorded_check(artifact: ModelArtifact) -> CheckReport:
    """Return the check that was made when a model was converted.

    Raises:
        DataError: there is none.
    """
    if artifact.provenance.check is None:
        raise DataError(
            f"'{artifact.name}' was never checked against its float net",
            hint="put the artifact's folder into the float net's folder, or build from the float net",
        )
    return artifact.provenance.check


def _note(checked: Checked) -> str:
    report = checked.report
    exact = "bit-exact, " if report.bit_exact else ""
    made = "" if report.made == "full" else f" ({report.made} check)"
    return f"{exact}cosine to float at least {report.cosine_min:.4f} on {report.source}{made}"


def _read(folder: Path) -> Checked:
    try:
        report = CheckReport.from_dict(json.loads((folder / "check.json").read_bytes()))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is damaged", details={"got": str(error)}) from error
    return Checked(load_artifact(folder / "artifact"), report)


def _is_there(folder: Path, artifact: ModelArtifact) -> bool:
    try:
        return artifact_identity(load_artifact(folder)) == artifact_identity(artifact)
    except EdgeSvError:
        return False
