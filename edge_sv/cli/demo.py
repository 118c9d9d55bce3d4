"""``edge-sv demo``: build the bundled net, enroll a voice, verify others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from edge_sv.cli.emulate import figures
from edge_sv.cli.microphone import MicOption, listen
from edge_sv.cli.output import JsonOption, err_console, print_json, print_rows, print_table
from edge_sv.emulation import Emulation, tools_missing
from edge_sv.emulation.tools import INSTALL
from edge_sv.pipeline.demo import BOARD, Demo, Recording, bundled_voices, check_bundled, read_recordings, run_demo
from edge_sv.pipeline.stage import StageOutcome

NO_BOARD = "none"
RUNTIMES = {"tflm": "TensorFlow Lite Micro's interpreter", "tflite": "LiteRT"}


def command(
    enroll: Annotated[
        list[Path] | None, typer.Option(help="A recording of the voice to enroll; give it several times.")
    ] = None,
    verify: Annotated[
        list[Path] | None, typer.Option(help="A recording to compare with that voice; may be given several times.")
    ] = None,
    model: Annotated[str, typer.Option(help="A bundled net, or a model's folder.")] = "resnet-nano",
    target: Annotated[str, typer.Option(help="What to build for, see `edge-sv targets`.")] = "tflite-micro",
    out: Annotated[Path | None, typer.Option(help="The package's folder.", show_default="build/MODEL-TARGET")] = None,
    board: Annotated[
        str, typer.Option(help="The board to emulate, see `edge-sv targets`; none: no emulation.")
    ] = BOARD,
    mic: MicOption = None,
    json: JsonOption = False,
) -> None:
    """Build a net for a microcontroller, enroll a voice with the package, and verify others.

    Every score is computed by the built package. Without recordings of your own, bundled synthetic voices are used:
    three recordings of one voice are enrolled, another one of it and those of other voices are verified; should the
    net decide one of them wrongly, the exit code is 5. With --mic you speak four times: three times to enroll, once
    to be verified. The same then happens on an emulated board, where the emulator and the compiler are installed.

    \b
    Examples:
      edge-sv demo
      edge-sv demo --enroll me1.wav --enroll me2.wav --verify someone.wav
      edge-sv demo --mic 5
      edge-sv demo --board mps3-an547
    """
    spoken = [Recording("microphone", pcm) for pcm in listen(mic, times=4)] if mic is not None else []
    bundled_enroll, bundled_verify = bundled_voices()
    own = bool(enroll or verify or spoken)
    enrolled = spoken[:3] + read_recordings(enroll or ([] if spoken else bundled_enroll))
    verified = spoken[3:] + read_recordings(verify or bundled_verify)
    console = err_console()
    with console.status(f"{model}: build for {target}, enroll, verify"):
        demo = run_demo(
            model,
            target=target,
            out=out,
            board=None if board == NO_BOARD else board,
            enroll=enrolled,
            verify=verified,
            on_stage=lambda stage: console.print(_describe(stage), soft_wrap=True),
        )
    if json:
        print_json(_document(demo))
    else:
        _print(demo)
    missing = tools_missing()
    if demo.emulation is None and board != NO_BOARD:
        console.print(f"not emulated: {', '.join(missing)} not installed\n  try   {INSTALL}", soft_wrap=True)
    if not own:
        check_bundled(demo)


def _describe(stage: StageOutcome) -> str:
    return f"{stage.name:<8} {stage.seconds:5.1f} s  {stage.status}: {stage.note}"


def _print(demo: Demo) -> None:
    table = Table(title=f"{demo.model} on {demo.target}: enrolled {', '.join(demo.enrolled)}")
    table.add_column("recording")
    for column in ("score", "threshold"):
        table.add_column(column, justify="right")
    table.add_column("decision")
    for column in ("float score", "difference"):
        table.add_column(column, justify="right")
    for verified in demo.verified:
        score, accepted = verified.decision.score, verified.decision.accepted
        beside = ("-", "-")
        if verified.float_score is not None:
            beside = (f"{verified.float_score:.3f}", f"{round(score - verified.float_score, 3) + 0.0:+.3f}")
        decision = _decision(accepted)
        table.add_row(verified.recording, f"{score:.3f}", f"{verified.decision.threshold:.3f}", decision, *beside)
    print_table(table)
    rate = demo.scoring.false_accept_rate
    print_rows(
        [
            ("model", f"{demo.model_bytes:,} bytes, int8"),
            *([("arena", f"{demo.arena_bytes:,} bytes of RAM")] if demo.arena_bytes is not None else []),
            ("scores", f"{demo.scoring.kind}, by the package in {RUNTIMES[demo.runtime]}"),
            *([("threshold", f"false-accept rate {rate:.1%} on the development list")] if rate is not None else []),
            *([("float to int8", _loss(demo))] if demo.cosine_to_float is not None else []),
            ("package", str(demo.package)),
        ]
    )
    if demo.emulation is not None:
        typer.echo()
        _print_emulation(demo.emulation, demo)


def _print_emulation(emulation: Emulation, demo: Demo) -> None:
    table = Table(title=f"the same on an emulated {emulation.board.name}")
    table.add_column("recording")
    for column in ("score", "difference"):
        table.add_column(column, justify="right")
    table.add_column("decision")
    for verified, here in zip(emulation.verified, demo.verified, strict=True):
        decision = _decision(verified.accepted)
        score, difference = "-", "-"
        if verified.score is not None:
            score, difference = f"{verified.score:.3f}", f"{round(verified.score - here.decision.score, 3) + 0.0:+.3f}"
        table.add_row(verified.recording, score, difference, verified.refused or decision)
    print_table(table)
    print_rows(figures(emulation))


def _loss(demo: Demo) -> str:
    return (
        f"cosine of embeddings at least {demo.cosine_to_float:.4f}, "
        f"scores change by at most {demo.largest_score_change:.3f}"
    )


def _document(demo: Demo) -> dict[str, object]:
    return {
        "package": str(demo.package),
        "model": demo.model,
        "target": demo.target,
        "runtime": demo.runtime,
        "model_bytes": demo.model_bytes,
        "arena_bytes": demo.arena_bytes,
        "scoring": demo.scoring.to_dict(),
        "cosine_to_float": demo.cosine_to_float,
        "largest_score_change": demo.largest_score_change,
        "enrolled": list(demo.enrolled),
        "emulation": demo.emulation.to_dict() if demo.emulation else None,
        "verified": [
            {
                "recording": verified.recording,
                "score": verified.decision.score,
                "threshold": verified.decision.threshold,
                "accepted": verified.decision.accepted,
                "float_score": verified.float_score,
            }
            for verified in demo.verified
        ],
    }


def _decision(accepted: bool) -> Text:
    return Text("accepted", style="green") if accepted else Text("rejected", style="red")
