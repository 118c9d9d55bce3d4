"""What a model is built for: `Target`, read from `targets/<name>/target.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sv.errors import DataError, unknown_name
from edge_sv.resources import targets_dir

TARGET_FILE = "target.toml"


@dataclass(frozen=True)
class Target:
    """A device, or a family of devices, and what a package for it must hold.

    None means open: the target makes no demand, or the value is not known.

    Args:
        name: what `--target` takes; the folder's name.
        description: one line for people.
        package: kind of package, `tflite-micro` or `tflite`.
        converter: name of the converter plug-in that makes the model file.
        cpu: core, as GCC's -mcpu writes it.
        clock_hz: clock of that core.
        flash_bytes: flash for code and model together.
        ram_bytes: RAM for everything that the package needs.
        fpu: whether the core has a floating-point unit.
        toolchain: compiler prefix, `arm-none-eabi`.
        emulator: QEMU machine.
    """

    name: str
    description: str
    package: str
    converter: str
    cpu: str | None = None
    clock_hz: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    fpu: bool | None = None
    toolchain: str | None = None
    emulator: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


class _TargetFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    description: str
    package: str
    converter: str
    cpu: str | None = None
    clock_hz: int | None = Field(default=None, gt=0)
    flash_bytes: int | None = Field(default=None, gt=0)
    ram_bytes: int | None = Field(default=None, gt=0)
    fpu: bool | None = None
    toolchain: str | None = None
    emulator: str | None = None


def read_target(path: Path) -> Target:
    """Read a target.toml; the target is named after the folder that holds it.

    Raises:
        DataError: the file is missing, is not TOML, or has an unknown, missing or impossible field.
    """
    try:
        return Target(
            name=path.resolve().parent.name, **_TargetFile.model_validate(tomllib.loads(path.read_text())).model_dump()
        )
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": error.strerror or str(error)}) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML", details={"got": str(error)}) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(_TargetFile.model_fields)
        raise DataError(f"{path}: {where}: {first['msg']}", details={"known": known}) from error


def list_targets() -> list[Target]:
    """Read all bundled targets, by name."""
    return [read_target(path) for path in sorted(targets_dir().glob(f"*/{TARGET_FILE}"))]


def load_target(name: str) -> Target:
    """Read a target.

    Args:
        name: a bundled target, or the path of a target.toml of your own.

    Raises:
        UsageError: there is no such target; the message has the nearest name.
        DataError: its file cannot be used.
    """
    if Path(name).name == TARGET_FILE:
        return read_target(Path(name))
    names = [path.parent.name for path in targets_dir().glob(f"*/{TARGET_FILE}")]
    if name not in names:
        raise unknown_name("target", name, names)
    return read_target(targets_dir() / name / TARGET_FILE)
