"""Object files are compiled once, and again when anything that they depend on changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.emulation.object_cache import Compilation, first_error
from edge_sv.errors import DataError
from tests.firmware.conftest import tool


@pytest.fixture
def source(tmp_path: Path) -> Path:
    tool("arm-none-eabi-gcc")
    (tmp_path / "number.h").write_text("#define NUMBER 1\n")
    (tmp_path / "a.c").write_text('#include "number.h"\nint number(void);\nint number(void) { return NUMBER; }\n')
    return tmp_path / "a.c"


def _compile(source: Path, *options: str) -> Path:
    cache = source.parent / "cache"
    (made,) = Compilation(["-mcpu=cortex-m4", *options], [source.parent], name="test", cache=cache).compile([source])
    return made


def test_the_same_inputs_give_the_object_of_last_time(source: Path) -> None:
    first = _compile(source)
    stamp = first.stat().st_mtime_ns
    assert _compile(source) == first and first.stat().st_mtime_ns == stamp


def test_a_changed_source_header_or_option_is_compiled_again(source: Path) -> None:
    made = {_compile(source), _compile(source, "-O2")}
    (source.parent / "number.h").write_text("#define NUMBER 2\n")
    made.add(_compile(source))
    source.write_text(source.read_text() + "/* changed */\n")
    made.add(_compile(source))
    assert len(made) == 4
    assert not [path for path in (source.parent / "cache").iterdir() if path.is_dir()], "nothing is left behind"


def test_a_cache_that_cannot_be_written_is_told(source: Path) -> None:
    (source.parent / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"cannot compile\n(.|\n)*XDG_CACHE_HOME"):
        _compile(source)


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        (
            "a.c: In function 'f':\na.c:3: warning: unused\na.c:4: error: expected ';'\na.c:9: error: more\n",
            "a.c:4: error",
        ),
        ("ld: in function 'main':\nmain.c: undefined reference to `f'\n", "main.c: undefined reference"),
        ("\nkilled\nby a signal\n", "killed"),
        ("", "nothing"),
    ],
)
def test_the_line_that_says_why_is_found(complaint: str, said: str) -> None:
    assert first_error(complaint).startswith(said)
