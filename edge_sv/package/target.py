"""What a model is built for: `Target`, read from `targets/<name>/target.toml` or, a board, `targets/boards/<name>/`."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sv.errors import DataError, reason_of, unknown_name
from edge_sv.system.bundled import targets_dir
from edge_sv.system.files import read_text

TARGET_FILE = "target.toml"
PACKAGE_FOLDER = "package"
"""Of a target's folder: the templates of its packages."""


@dataclass(frozen=True)
class Machine:
    """Where an emulated board has its memory, and the clock of its counter.

    Args:
        flash_origin: first address of its flash, or of what stands in for it.
        ram_origin: first address of its RAM.
        systick_hz: rate of SysTick when it counts the processor's clock.
        vectors_origin: where the core looks for the vector table; None: at the start of the flash.
    """

    flash_origin: int
    ram_origin: int
    systick_hz: int
    vectors_origin: int | None = None


@dataclass(frozen=True)
class Target:
    """A device, or a family of devices, and what a package for it must hold.

    None means open: the target makes no demand, or the value is not known.

    Args:
        name: what `--target` takes; the folder's name.
        description: one line for people.
        package: kind of package, a plug-in of the group `edge_sv.packages`: `tflite-micro`, `cortex-m`, `tflite`.
        templates: folder of the templates that the package is rendered from: a bundled target's name, or a folder
            beside a target.toml of your own; None: the kind's own.
        converter: name of the converter plug-in that makes the model file.
        cpu: core, as GCC's -mcpu writes it.
        clock_hz: clock of that core.
        flash_bytes: flash for code and model together.
        ram_bytes: RAM for everything that the package needs.
        fpu: whether the core has a floating-point unit.
        toolchain: compiler prefix, `arm-none-eabi`.
        emulator: the board that QEMU emulates for it: its own name, or another board with the same core.
        machine: that board's memory map; None where QEMU has no such board.
    """

    name: str
    description: str
    package: str
    converter: str
    templates: str | None = None
    cpu: str | None = None
    clock_hz: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    fpu: bool | None = None
    toolchain: str | None = None
    emulator: str | None = None
    machine: Machine | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


class _MachineFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    flash_origin: int = Field(ge=0)
    ram_origin: int = Field(ge=0)
    systick_hz: int = Field(ge=1_000_000)
    vectors_origin: int | None = Field(default=None, ge=0)


_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
"""A name that becomes part of a command: of a core, a board, a compiler."""


class _TargetFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    description: str
    package: _Word
    converter: _Word
    templates: str | None = None
    cpu: _Word | None = None
    clock_hz: int | None = Field(default=None, gt=0)
    flash_bytes: int | None = Field(default=None, gt=0)
    ram_bytes: int | None = Field(default=None, gt=0)
    fpu: bool | None = None
    toolchain: _Word | None = None
    emulator: _Word | None = None
    machine: _MachineFile | None = None

    def to_target(self, name: str) -> Target:
        """Return the values of the file."""
        values = self.model_dump(exclude={"machine"})
        return Target(name=name, **values, machine=Machine(**self.machine.model_dump()) if self.machine else None)


def read_target(path: Path) -> Target:
    """Read a target.toml; the target is named after the folder that holds it.

    Raises:
        DataError: the file is missing, is not TOML, or has an unknown, missing or impossible field.
    """
    try:
        target = _TargetFile.model_validate(tomllib.loads(read_text(path))).to_target(path.resolve().parent.name)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} is not TOML", details={"got": str(error)}) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(_TargetFile.model_fields)
        raise DataError(f"{path}: {where}: {first['msg']}", details={"known": known}) from error
    if target.templates is None:
        return target
    beside = path.resolve().parent / target.templates
    folder = beside if beside.is_dir() else targets_dir() / target.templates / PACKAGE_FOLDER
    if not folder.is_dir():
        raise DataError(f"{path} names templates that are not there", details={"tried": f"{beside}, {folder}"})
    return replace(target, templates=str(folder))


def list_targets() -> list[Target]:
    """Read the bundled targets: first those that leave the board open, then the boards, each by name."""
    return [read_target(path) for path in _bundled().values()]


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
    bundled = _bundled()
    if name not in bundled:
        raise unknown_name("target", name, bundled)
    return read_target(bundled[name])


def _bundled() -> dict[str, Path]:
    folder = targets_dir()
    files = [*sorted(folder.glob(f"*/{TARGET_FILE}")), *sorted(folder.glob(f"boards/*/{TARGET_FILE}"))]
    return {path.parent.name: path for path in files}


def template_folder(target: Target, kind: str) -> Path:
    """Return the folder of the templates that a package for a target is rendered from.

    Args:
        target: may name its own.
        kind: of the package, whose templates are taken otherwise.
    """
    return Path(target.templates) if target.templates else targets_dir() / kind / PACKAGE_FOLDER
