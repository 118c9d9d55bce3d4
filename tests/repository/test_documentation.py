"""Every example in the documents and docstrings is run, so that none can go stale.

In a Markdown document the fenced blocks are run from top to bottom, in a folder that looks like the checkout:

- ``console``: lines that start with ``$ `` are commands (a line that ends in a backslash goes on); what follows is
  the command's output, where ``...`` stands for anything. A command must exit with 0, or with N after a
  ``# exit code N`` at its end. For ``make`` it is only checked that the target exists.
- ``bash``: a script that must exit with 0.
- ``python``: run in one namespace per document.
- ``toml`` and ``json``: parsed.

Other blocks are only shown. So is a block below the comment ``<!-- not run: REASON -->``; one below ``<!-- slow -->``
is run with the slow tests. A block that names ``$EDGE_SV_DATA`` needs the speech corpora.
"""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand

from edge_sv.cli.analyze import ANALYSES
from edge_sv.cli.app import COMMANDS
from edge_sv.cli.lazy import load_command

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "assets/*/README.md", "targets/**/README.md", "docs/**/*.md", "benchmarks/*.md")
    for path in REPOSITORY.glob(pattern)
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SLOW = re.compile(r"<!-- slow -->\s*$")
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\s*$")
EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")
OUTPUT = doctest.OutputChecker()
OUTPUT_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block that is to be run."""

    document: str
    line: int
    language: str
    text: str
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks() -> Iterator[Block]:
    for document in DOCUMENTS:
        text = (REPOSITORY / document).read_text()
        for match in FENCE.finditer(text):
            before = text[: match.start()]
            if not NOT_RUN.search(before):
                yield Block(document, before.count("\n") + 1, match[1], match[2], slow=bool(SLOW.search(before)))


@dataclass(frozen=True)
class Command:
    """A command of a console block and what it should print."""

    text: str
    exit_code: int
    output: str


def commands(console: str) -> Iterator[Command]:
    """Split a console block into its commands."""
    joined = console.replace("\\\n", " ")
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        first, _, output = part.partition("\n")
        code = EXIT_CODE.search(first)
        yield Command(EXIT_CODE.sub("", first), int(code[1]) if code else 0, output)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a folder for each document that looks like the checkout and can be written to."""
    made = {}
    for document in DOCUMENTS:
        made[document] = tmp_path_factory.mktemp("checkout")
        for entry in REPOSITORY.iterdir():
            if not entry.name.startswith(".") and entry.name not in ("build", "runs", "dist"):
                (made[document] / entry.name).symlink_to(entry)
    return made


@pytest.fixture(scope="module")
def namespaces() -> dict[str, dict[str, object]]:
    return {document: {"__name__": document} for document in DOCUMENTS}


def run_shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a user who has activated the environment would."""
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    script = f"set -euo pipefail\n{script}"
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=variables, capture_output=True, text=True, timeout=600
    )


def run_console(text: str, folder: Path) -> None:
    for command in commands(text):
        if command.text.startswith("make "):
            result = run_shell(f"make --dry-run {command.text.removeprefix('make ')}", REPOSITORY)
            assert result.returncode == 0, result.stderr
            continue
        result = run_shell(command.text, folder)
        assert result.returncode == command.exit_code, f"$ {command.text}\n{result.stdout}{result.stderr}"
        printed = result.stdout + result.stderr if command.exit_code else result.stdout
        if command.output.strip():
            assert OUTPUT.check_output(command.output, printed, OUTPUT_FLAGS), (
                f"$ {command.text}\nprinted\n{printed}\nwhere the document shows\n{command.output}"
            )


@pytest.mark.parametrize(
    "block", [pytest.param(block, marks=[pytest.mark.slow] if block.slow else []) for block in blocks()], ids=str
)
def test_block_runs(
    block: Block,
    places: dict[str, Path],
    namespaces: dict[str, dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if "EDGE_SV_DATA" in block.text:
        monkeypatch.setenv("EDGE_SV_DATA", str(request.getfixturevalue("speech_data")))
    folder = places[block.document]
    if block.language == "console":
        run_console(block.text, folder)
    elif block.language in ("bash", "sh"):
        result = run_shell(block.text, folder)
        assert result.returncode == 0, result.stdout + result.stderr
    elif block.language == "python":
        monkeypatch.chdir(folder)
        code = compile("\n" * block.line + block.text, REPOSITORY / block.document, "exec")
        exec(code, namespaces[block.document])
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "json":
        json.loads(block.text)


@pytest.mark.parametrize(
    "console",
    [
        "$ echo one\ntwo\n",
        "$ false\n",
        "$ true  # exit code 10\n",
        "$ make no-such-target\n",
        "$ echo \\\n    one\ntwo\n",
    ],
)
def test_runner_notices_what_is_stale(console: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run_console(console, tmp_path)


def test_runner_accepts_what_holds(tmp_path: Path) -> None:
    run_console("$ echo one; echo 2.5 two\none\n... two\n$ exit 10  # exit code 10\n$ make help\n", tmp_path)


def modules_with_examples() -> list[str]:
    sources = [*(REPOSITORY / "edge_sv").rglob("*.py"), *(REPOSITORY / "converters").rglob("*.py")]
    return sorted(
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removeprefix("converters.")
        for path in sources
        if ">>> " in path.read_text()
    )


def test_there_are_docstring_examples() -> None:
    assert {"edge_sv.embedders.model", "edge_sv.verification.recordings"} <= set(modules_with_examples())


@pytest.mark.parametrize("name", modules_with_examples())
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".__init__"))
    result = doctest.testmod(module, optionflags=OUTPUT_FLAGS)
    assert result.attempted > 0
    assert result.failed == 0


LEAVES = {name: place for name, place in COMMANDS.items() if name != "analyze"}
LEAVES |= {f"analyze {name}": place for name, place in ANALYSES.items()}


@pytest.mark.parametrize("command", LEAVES)
def test_help_examples_parse(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, _, examples = (load_command(LEAVES, command).__doc__ or "").partition("Examples:")
    lines = [line.strip() for line in examples.splitlines() if line.strip().startswith("edge-sv ")]
    assert lines, f"edge-sv {command} has no examples in its help"
    for line in lines:
        assert f"{line} ".startswith(f"edge-sv {command} ")
        arguments = shlex.split(line.removeprefix(f"edge-sv {command}"))
        for word in arguments:
            if Path(word).suffix:
                Path(word).parent.mkdir(parents=True, exist_ok=True)
                Path(word).touch()
        parse(command, arguments)


def parse(command: str, arguments: list[str]) -> None:
    """Parse a command line without running it.

    Raises:
        typer.BadParameter: an option or argument that the command does not have.
    """
    single = typer.Typer(add_completion=False)
    single.command(name=command)(load_command(LEAVES, command))
    parser = typer.main.get_command(single)
    assert isinstance(parser, TyperCommand)
    parser.make_context(command, list(arguments))


PATH_IN_TEXT = re.compile(r"`((?:edge_sv|converters|targets|scripts|benchmarks|configs|tests)/[\w./-]*)`")
LINK_IN_TEXT = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_and_links_lead_somewhere(document: str) -> None:
    """A path with NAME, which the reader replaces, leads to what others have put there."""
    text = (REPOSITORY / document).read_text()
    folder = (REPOSITORY / document).parent
    missing = [path for path in PATH_IN_TEXT.findall(text) if not any(REPOSITORY.glob(path.replace("NAME", "*")))]
    missing += [link for link in LINK_IN_TEXT.findall(text) if not (folder / link).exists()]
    assert not missing


def test_a_newcomer_can_read_the_readme() -> None:
    assert len((REPOSITORY / "README.md").read_text().split()) <= 900


def test_pictures_are_small() -> None:
    large = {
        path.name: path.stat().st_size for path in (REPOSITORY / "docs").rglob("*.svg") if path.stat().st_size > 60_000
    }
    assert not large
