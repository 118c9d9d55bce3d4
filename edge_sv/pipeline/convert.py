"""The second stage: a float net, converted for a device's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact, save_artifact
from edge_sv.artifacts.net import net_sha256
from edge_sv.errors import DataError, UsageError
from edge_sv.pipeline.calibration import cut_calibration
from edge_sv.pipeline.compress import Compressed
from edge_sv.pipeline.inputs import speech_inputs
from edge_sv.pipeline.request import ConversionRequest
from edge_sv.pipeline.stage import Given, Stage
from edge_sv.plugins.converter import Converter, find_converter

LIBRARIES = ("numpy", "tensorflow", "tf_keras", "flatbuffers")


@dataclass(frozen=True)
class Converted:
    """A converted model, and the float net that it was made from where that is at hand."""

    artifact: ModelArtifact
    net: Path | None


def convert_stage(request: ConversionRequest) -> Stage[Compressed, Converted]:
    """Make the stage: calibrated with the data; without data the converted form that came with the model is taken."""
    converter = find_converter(request.converter)
    recipe, data, speech = request.recipe, request.data, speech_inputs(request.data)

    def given(before: Compressed) -> Given[Converted] | None:
        if data is not None:
            return None
        artifact = _bundled(request, converter, before.net)
        return Given(Converted(artifact, before.net), f"{recipe.name}, as it came with the model")

    def make(before: Compressed, folder: Path, _scratch: Path) -> None:
        assert data is not None
        if before.net is None:
            raise UsageError(f"{request.model.path} has no float net beside it, so it cannot be calibrated again")
        save_artifact(folder / "artifact", converter.convert(before.net, recipe, cut_calibration(before.net, data)))

    return Stage(
        name="convert",
        intent=f"calibrate with {data}" if data else "as it came with the model",
        code=(type(converter).__module__, "edge_sv.pipeline.calibration"),
        libraries=LIBRARIES,
        inputs=lambda before: [
            before.net and net_sha256(before.net),
            recipe.to_dict(),
            converter.name,
            converter.version,
            speech(),
        ],
        make=make,
        read=lambda before, folder: Converted(load_artifact(folder / "artifact"), before.net),
        note=lambda done: f"{recipe.name}, {len(done.artifact.model):,} bytes",
        given=given,
    )


def _bundled(request: ConversionRequest, converter: Converter, net: Path | None) -> ModelArtifact:
    """Return the converted form that came with the model.

    Raises:
        DataError: there is none, or it is not of this very net, recipe and converter.
    """
    hint = "give --data INDEX.csv: a table of speech files to calibrate with"
    folder = request.model.artifact(request.recipe.name)
    if folder is None:
        raise DataError(f"{request.model.path} was never converted", details={"recipe": request.recipe.name}, hint=hint)
    artifact = load_artifact(folder)
    wanted = {"recipe": request.recipe.name, "converter": f"{converter.name} {converter.version}"}
    if net is not None:
        wanted["float_sha256"] = net_sha256(net)
    got = {**artifact.provenance.stated, "recipe": artifact.recipe}
    different = [name for name, value in wanted.items() if got.get(name) != value]
    if different:
        raise DataError(
            f"the converted model in {folder} is not of this float net, recipe and converter",
            details={name: f"{got.get(name)}, needed {wanted[name]}" for name in different},
            hint=hint,
        )
    return artifact
