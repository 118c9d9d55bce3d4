"""``edge-sv emulate``: run a package on an emulated microcontroller and count what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_sv.audio.recording import read_speech
from edge_sv.cli.output import JsonOption, err_console, print_json, print_rows, print_table
from edge_sv.emulation import DEFAULT_BOARD, Emulation, Recordings, check_exact, default_board, emulate, load_board
from edge_sv.package import read_package
from edge_sv.system.sandbox import is_strict


def command(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="A package's folder.")],
    board: Annotated[
        str | None,
        typer.Option(
            help="The board, see `edge-sv targets`, or a target.toml.",
            show_default=f"the one that the package is for, or {DEFAULT_BOARD}",
        ),
    ] = None,
    enroll: Annotated[
        list[Path] | None, typer.Option(help="A recording of the voice to enroll; give it several times.")
    ] = None,
    verify: Annotated[
        list[Path] | None, typer.Option(help="A recording to compare with that voice; may be given several times.")
    ] = None,
    tflm: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Run a tflite-micro package by TensorFlow Lite Micro: its headers and library's folder."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a package on an emulated Cortex-M: the real program, compiled for the core, within the part's memory.

    Always: the golden vectors, compared bit for bit with the computer that built the package. With recordings: enroll
    and verify on the device; every embedding is compared with this computer's. Counted are instructions, not cycles:
    the same package and recording always give the same number.

    A tflite-micro package runs as the C code that is generated from its model.tflite; with --tflm as its own C++, by
    the TensorFlow Lite Micro that you have compiled for the core.

    A package is a program: QEMU runs it without a network, and with no files but its own where the kernel has Landlock.

    \b
    Examples:
      edge-sv emulate build/resnet-nano-cortex-m
      edge-sv emulate build/resnet-nano-cortex-m --board nrf52840 --enroll a.wav --enroll b.wav --verify c.wav
      edge-sv emulate build/resnet-nano-cortex-m --board mps3-an547 --json
      edge-sv emulate build/resnet-nano-tflite-micro --tflm ~/tflite-micro
    """
    found = read_package(package)
    place = load_board(board or default_board(found.manifest.target.name))
    rate = found.speaker.features.sample_rate if found.speaker else 16_000
    console = err_console()
    if not is_strict():
        trust = "warning: this system cannot keep the program from your files; emulate packages that you trust"
        console.print(trust, soft_wrap=True)
    with console.status(f"{package} on {place.name}") as status:
        done = emulate(
            found,
            place,
            enroll=_read(enroll or [], rate),
            verify=_read(verify or [], rate),
            tflm=tflm,
            listen=lambda step: status.update(f"{place.name}: {step}"),
        )
    if json:
        print_json(done.to_dict())
    else:
        print_emulation(done)
    if done.slower_than_real_time:
        took = done.milliseconds()["total"] / 1000
        console.print(
            f"warning: slower than real time: a second of speech takes '{done.board.name}' about {took:.1f} s"
        )
    check_exact(done)


def print_emulation(done: Emulation) -> None:
    """Print decisions, operators and figures."""
    if done.verified:
        print_table(_decisions(done))
        typer.echo()
    if done.operators:
        print_table(_operators(done))
        typer.echo()
    print_rows(figures(done))


def figures(done: Emulation) -> list[tuple[str, str]]:
    """Return what a package costs on a board, as lines."""
    board, milliseconds = done.board, done.milliseconds()
    rows = [
        ("board", f"{board.target.description} at {board.clock_hz / 1e6:,.0f} MHz"),
        ("emulated by", f"QEMU's {board.machine_name}"),
        ("model", f"{done.model}, {done.plan} plan"),
        ("bit-exact", _exactness(done)),
        ("flash", f"{done.flash_bytes:,} bytes of {board.flash_bytes:,}, of which code {done.code_bytes:,}"),
        ("RAM", f"{done.ram_bytes:,} bytes of {board.ram_bytes:,}, of which the net {done.state_bytes:,}"),
        ("stack", f"{done.stack_bytes:,} bytes"),
    ]
    for name, count in done.instructions.items():
        rows.append((name, f"{count:,} instructions per {done.per}, about {milliseconds[name]:,.1f} ms"))
    return [*rows, ("", f"counted on {done.measured}; ms: estimated at one instruction per cycle")]


def _exactness(done: Emulation) -> str:
    wrong = [difference.name for difference in done.differences if not difference.exact]
    return f"no: {', '.join(wrong)}" if wrong else f"yes, {len(done.differences)} golden vectors and recordings"


def _decisions(done: Emulation) -> Table:
    table = Table("recording", box=None, pad_edge=False)
    for title in ("score", "threshold"):
        table.add_column(title, justify="right")
    table.add_column("decision")
    for verified in done.verified:
        word = "accepted" if verified.accepted else "rejected" if verified.refused is None else verified.refused
        table.add_row(verified.recording, _number(verified.score), _number(verified.threshold), word)
    return table


def _operators(done: Emulation) -> Table:
    table = Table("operator", "kind", box=None, pad_edge=False)
    for title in (f"instructions per {done.per}", "share"):
        table.add_column(title, justify="right")
    total = max(1, sum(operator.instructions for operator in done.operators))
    for operator in done.operators:
        share = f"{operator.instructions / total:.1%}"
        table.add_row(operator.name, operator.kind, f"{operator.instructions:,}", share)
    return table


def _read(paths: Sequence[Path], sample_rate: int) -> Recordings:
    return [(str(path), read_speech([path], sample_rate=sample_rate)) for path in paths]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
