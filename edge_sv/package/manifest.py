"""`manifest.json`: what a package is, schema in docs/package-manifest.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sv.errors import DataError

SCHEMA_VERSION: Literal[3] = 3


Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Shape = tuple[Annotated[int, Field(ge=0, lt=1 << 31)], ...]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
"""Of a file or folder that becomes part of a path: no folder above it."""

PathBelow = Annotated[str, Field(pattern=r"^[^/\x00][^\x00]*$")]
"""Of a file below a folder, with slashes."""

Prefix = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
"""Of names in C."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Tool(_Part):
    """What wrote the package."""

    name: str
    version: str


class Device(_Part):
    """The target that it was built for."""

    name: str
    package: str
    cpu: str | None
    clock_hz: Count | None
    flash_bytes: Count | None
    ram_bytes: Count | None
    fpu: bool | None


class Model(_Part):
    """The model file; `sha256` and `bytes` are of the model without an embedded manifest."""

    name: str
    kind: Literal["tflite"]
    recipe: str
    file: FileName
    bytes: Count
    sha256: str


class Tensor(_Part):
    """The net's input or output: value = scale * (q - zero_point)."""

    shape: Shape
    dtype: Literal["int8"]
    scale: float
    zero_point: int


class Segments(_Part):
    """How recordings are cut."""

    frames: Count
    hop_frames: Count


class CohortPart(_Part):
    """Embeddings for AS-norm."""

    file: FileName
    num_speakers: Count


class ArenaPart(_Part):
    """Memory for TensorFlow Lite Micro's tensors."""

    bytes: Count
    measured_bytes: Count
    scratch_bytes: Count
    margin_bytes: Count
    measured_on: str


class Sizes(_Part):
    """What the package costs on the device, in bytes; None: not known for this kind of package."""

    flash_bytes: Count
    model_bytes: Count
    cohort_bytes: Count
    code_bytes_estimate: Count | None
    ram_bytes: Count | None
    object_bytes: Count | None
    buffer_bytes: Count | None
    state_bytes: Count | None = None


class Port(_Part):
    """An input or output of a net, by its place in the model; `scale` and `zero_point` are null when not quantized."""

    name: str
    shape: Shape
    dtype: Literal["bool", "float32", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"]
    scale: float | None
    zero_point: int | None


class PlanPart(_Part):
    """What a plan of the generated code needs; `ram_bytes` is null where the net has no such plan."""

    name: str
    ram_bytes: Count | None
    note: str


class ConstantPart(_Part):
    """An array of constants in the generated code."""

    layer: str
    kind: str
    part: str
    bits: Count
    bytes: Count


class GeneratedPart(_Part):
    """The net as source code; `constants` is null in packages of version 2."""

    generator: str
    prefix: Prefix
    plan: str
    plans: tuple[PlanPart, ...]
    kernels: tuple[str, ...]
    constants: tuple[ConstantPart, ...] | None = None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class TablePart(_Part):
    """Weights that are indices and tables of values."""

    layer: str
    bits: Count
    tables: Count
    plain_bytes: Count
    bytes: Count


class LookupPart(_Part):
    """Lookup tables in the model, and what the package would be without."""

    plain_sha256: str
    plain_model_bytes: Count
    plain_flash_bytes: Count
    plain_ram_bytes: Count
    tables: tuple[TablePart, ...]
    skipped: tuple[str, ...]


class Golden(_Part):
    """A golden vector, files in golden/<name>/."""

    name: FileName
    source: str
    num_segments: Count


class Manifest(_Part):
    """The whole manifest. A package of a net alone, without a front end, has null for all that a speaker net has."""

    schema_version: Literal[1, 2, 3]
    tool: Tool
    target: Device
    model: Model
    input: Tensor | None
    output: Tensor | None
    embedding_dim: Count | None
    embedding_rule: str | None
    features: dict[str, Any] | None
    segments: Segments | None
    scoring: dict[str, Any] | None
    cohort: CohortPart | None
    operators: tuple[str, ...]
    arena: ArenaPart | None
    generated: GeneratedPart | None = None
    lookup: LookupPart | None = None
    sizes: Sizes
    layers: tuple[dict[str, Any], ...]
    check: dict[str, Any] | None
    provenance: dict[str, Any]
    golden: tuple[Golden, ...]
    files: dict[PathBelow, str] | None

    def to_bytes(self) -> bytes:
        """Write JSON; same manifest, same bytes."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()


def parse_manifest(data: bytes, source: Path | str) -> Manifest:
    """Read a manifest; `source` names it in errors.

    Raises:
        DataError: it is damaged, or was written by a newer version.
    """
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        hint = "build the package again"
        if where == "schema_version":
            raise DataError(
                f"{source} has another schema version than {SCHEMA_VERSION}", details={"got": first["msg"]}, hint=hint
            ) from error
        got = f"{where}: {first['msg']}" if where else first["msg"]
        raise DataError(f"{source} is damaged", details={"got": got}, hint=hint) from error
