"""The shorter list of stages: any int8 .tflite becomes generated code, without front end, conversion or speech."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sv.errors import DataError, UsageError
from edge_sv.package import DevicePackage
from edge_sv.package.net_only import (
    NetOnlyModel,
    NetOnlyVector,
    generate_net_only,
    make_net_only_vectors,
    read_net_only,
    write_net_only_package,
)
from edge_sv.pipeline.check_generated_c import check_net_only_package
from edge_sv.pipeline.package import package_inputs, place_at, read_kept_package
from edge_sv.pipeline.request import BuildRequest
from edge_sv.pipeline.stage import AnyStage, Stage
from edge_sv.plugins.generator import find_generator
from edge_sv.system.files import sha256_bytes
from edge_sv.system.npz import read_arrays

KIND = "cortex-m"
CODE = ("edge_sv.package.net_only", "edge_sv.pipeline.check_generated_c")
LIBRARIES = ("flatbuffers", "jinja2", "numpy", "tflite-micro")


@dataclass(frozen=True, eq=False)
class Vectors:
    """Inputs of a net, and what TensorFlow Lite Micro made of them."""

    vectors: tuple[NetOnlyVector, ...]


def read_request(request: BuildRequest) -> NetOnlyModel:
    """Read the model of a request for a net alone.

    Raises:
        UsageError: the target runs no generated code, or an option is given that only a speaker net has.
        DataError: the file is damaged.
    """
    path, target = request.conversion.model.path, request.target
    if target.package != KIND:
        raise UsageError(
            f"{path} has no front end, so target '{target.name}' cannot package it",
            hint=f"--target {KIND} compiles any int8 .tflite; or build from a net's folder",
        )
    return read_net_only(path)


def net_only_stages(request: BuildRequest) -> tuple[AnyStage, ...]:
    """Make the stages: golden vectors by TensorFlow Lite Micro, then the package, whose code is compared with them."""
    net = read_request(request)
    return _vectors_stage(request, net), _package_stage(request, net)


def _vectors_stage(request: BuildRequest, net: NetOnlyModel) -> Stage[None, Vectors]:
    def make(_: None, folder: Path, _scratch: Path) -> None:
        vectors = make_net_only_vectors(net, generate_net_only(net, request.code))
        arrays = {
            f"{vector.name}/{kind}/{number}": values
            for vector in vectors
            for kind, group in (("input", vector.inputs), ("output", vector.outputs))
            for number, values in enumerate(group)
        }
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        (folder / "vectors.npz").write_bytes(stream.getvalue())
        (folder / "sources.txt").write_text("\n".join(f"{vector.name}\t{vector.source}" for vector in vectors))

    return Stage(
        name="check",
        intent="random inputs through TensorFlow Lite Micro",
        code=(*CODE, type(find_generator()).__module__),
        libraries=LIBRARIES,
        inputs=lambda _: [sha256_bytes(net.model), request.code.prefix, request.code.plan],
        make=make,
        read=lambda _, folder: _read_vectors(folder),
        note=lambda done: f"{len(done.vectors)} random inputs through TensorFlow Lite Micro",
    )


def _package_stage(request: BuildRequest, net: NetOnlyModel) -> Stage[Vectors, DevicePackage]:
    def make(before: Vectors, folder: Path, _scratch: Path) -> None:
        package = write_net_only_package(
            net,
            request.target,
            folder / "package",
            vectors=before.vectors,
            code=request.code,
            max_flash=request.limits.flash,
            max_ram=request.limits.ram,
        )
        check_net_only_package(package, [(vector.inputs, vector.outputs) for vector in before.vectors])

    return Stage(
        name="package",
        intent=f"for {request.target.name}",
        code=(*CODE, type(find_generator()).__module__),
        libraries=LIBRARIES,
        inputs=lambda before: [
            sha256_bytes(net.model),
            net.name,
            [sha256_bytes(data) for vector in before.vectors for data in vector.files().values()],
            package_inputs(request),
        ],
        make=make,
        read=lambda _, folder: read_kept_package(folder),
        note=lambda package: str(package.path),
        place=place_at(request.out),
    )


def _read_vectors(folder: Path) -> Vectors:
    """Read back what the stage wrote.

    Raises:
        DataError: it is damaged.
    """
    try:
        lines = (folder / "sources.txt").read_text().splitlines()
        arrays = read_arrays(folder / "vectors.npz")
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is damaged", details={"got": str(error)}) from error

    def group(name: str, kind: str) -> list[np.ndarray]:
        found = [key for key in arrays if key.startswith(f"{name}/{kind}/")]
        return [arrays[f"{name}/{kind}/{number}"] for number in range(len(found))]

    rows = [line.split("\t") for line in lines]
    return Vectors(
        tuple(NetOnlyVector(name, source, group(name, "input"), group(name, "output")) for name, source in rows)
    )
