"""Generated code that is hostile or broken: nothing leaves its process, and what it does is an error in words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.runtimes import generated_c
from edge_sv.runtimes.generated_c import CompiledNet, ConfinedLibrary
from edge_sv.runtimes.host_compiler import compile_library
from edge_sv.runtimes.interpreter import describe_tensor
from edge_sv.system.sandbox import is_strict

PORT = describe_tensor(0, (4,), "int8")
NET = """
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
static int8_t outcome;
const size_t bad_arena_bytes = 64;
void *bad_input(void *arena, int index) { return (char *)arena + index; }
void *bad_output(void *arena, int index) { return (char *)arena + index; }
__attribute__((constructor)) static void begin(void) { int8_t *out = &outcome; (void)out; CONSTRUCTOR; }
void bad_invoke(void *arena) { int8_t *out = arena; memset(out, outcome, 4); INVOKE; }
"""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated_c, "TIMEOUT_S", 20.0)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "libraries"


def _library(cache: Path, *, invoke: str = "", constructor: str = "") -> Path:
    source = "#define _GNU_SOURCE\n" + NET.replace("CONSTRUCTOR", constructor).replace("INVOKE", invoke)
    return compile_library({"bad.c": source.encode()}, cache=cache)


def _run(cache: Path, *, invoke: str = "", constructor: str = "") -> list[int]:
    library = _library(cache, invoke=invoke, constructor=constructor)
    net = CompiledNet(library, "bad", inputs=[PORT], outputs=[PORT])
    return list(net.run(np.zeros(4, np.int8))[0].tolist())


@pytest.mark.parametrize("place", ["invoke", "constructor"])
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("*(volatile int *)16 = 1", "Segmentation fault"),
        ("abort()", "Aborted"),
        ("_exit(3)", "exit code 3"),
        ("exit(0)", "exit code 0"),
        ("raise(SIGILL)", "Illegal instruction"),
    ],
)
def test_a_crash_is_an_error_with_its_reason(cache: Path, place: str, code: str, words: str) -> None:
    with pytest.raises(DataError, match="crashed on this computer") as caught:
        _run(cache, **{place: code})
    assert words in caught.value.details["got"]


@pytest.mark.parametrize("place", ["invoke", "constructor"])
def test_what_hangs_is_ended(cache: Path, place: str) -> None:
    library = _library(cache, **{place: "for (volatile int i = 0; i < 1;) { signal(SIGTERM, SIG_IGN); }"})
    start = time.monotonic()
    with pytest.raises(DataError, match="did not finish within 1 s"):
        code = ConfinedLibrary(library, "net", "bad", options=_options(), timeout_s=1)
        code.run(bytes(4))
    assert time.monotonic() - start < 10


def test_what_does_not_read_its_requests_is_ended(cache: Path) -> None:
    library = _library(cache, invoke="pause()")
    code = ConfinedLibrary(library, "net", "bad", options=_options(), timeout_s=1)
    with pytest.raises(DataError, match="did not finish"):
        code.run(bytes(4), bytes(1 << 24))
        code.run(bytes(1 << 24))


def _options() -> dict[str, object]:
    return {"inputs": [4], "outputs": [4], "whole_arena": False}


def test_memory_is_bounded(cache: Path) -> None:
    assert _run(cache, invoke="memset(out, malloc((size_t)8 << 30) == NULL ? 1 : 2, 4)") == [1] * 4


def test_what_it_prints_is_no_answer(cache: Path) -> None:
    assert _run(cache, invoke='for (int i = 0; i < 100000; ++i) puts("\\1noise"); fflush(stdout); out[0] = 7')[0] == 7


def test_an_answer_of_another_length_is_refused(cache: Path) -> None:
    lie = "for (int fd = 3; fd < 9; ++fd) { uint64_t huge = (uint64_t)1 << 62; (void)!write(fd, &huge, 8); }"
    with pytest.raises(DataError, match=r"crashed|did not come"):
        _run(cache, invoke=lie)


def test_a_library_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "net.so").write_bytes(b"not a library")
    with pytest.raises(DataError, match="cannot be loaded"):
        ConfinedLibrary(tmp_path / "net.so", "speaker", "bad")


def test_the_process_ends_with_its_user(cache: Path) -> None:
    net = CompiledNet(_library(cache), "bad", inputs=[PORT], outputs=[PORT])
    number = net._code._process.pid
    del net
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_it_outlives_the_thread_that_opened_it(cache: Path) -> None:
    library = _library(cache)
    with ThreadPoolExecutor(1) as pool:
        net = pool.submit(lambda: CompiledNet(library, "bad", inputs=[PORT], outputs=[PORT])).result()
    assert net.run(np.zeros(4, np.int8))[0].tolist() == [0] * 4


def test_what_hangs_ends_by_itself_when_its_user_is_killed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = _library(cache, invoke="for (volatile int i = 0; i < 1;) {}")
    script = (
        "import sys; from pathlib import Path; from edge_sv.runtimes import generated_c as g; g.GRACE_S = 0\n"
        f"code = g.ConfinedLibrary(Path(sys.argv[1]), 'net', 'bad', options={_options()!r}, timeout_s=2)\n"
        "print(code._process.pid, flush=True); code.run(bytes(4))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(library)], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        number = int(user.stdout.readline())
        time.sleep(0.5)
        user.kill()
    state = Path(f"/proc/{number}/stat")
    for _ in range(100):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("it went on")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server


@pytest.mark.skipif(not is_strict(), reason="this kernel has no Landlock (Linux 5.13 and later)")
@pytest.mark.parametrize("place", ["invoke", "constructor"])
def test_it_reaches_no_file_no_network_and_no_other_process(
    cache: Path, tmp_path: Path, listener: socket.socket, place: str
) -> None:
    secret, made = tmp_path / "secret", tmp_path / "made"
    secret.write_text("private")
    port = listener.getsockname()[1]
    attempts = [
        f'open("{secret}", O_RDONLY) < 0',
        f'open("{secret}", O_WRONLY | O_TRUNC) < 0',
        f'open("{made}", O_CREAT | O_RDWR, 0600) < 0',
        f'mkdir("{made}", 0700) < 0',
        'open("here", O_CREAT | O_RDWR, 0600) < 0',
        f'unlink("{secret}") < 0',
        f'system("touch {made}") != 0',
        "kill(getppid(), 0) < 0",
        'getenv("EDGE_SV_SECRET") == NULL',
        f'(strcpy(path, getenv("HOME")), strcmp(path, "{os.environ.get("HOME", "")}") != 0)',
        "connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) < 0",
    ]
    declared = (
        "char path[4096]; struct sockaddr_in address = { .sin_family = AF_INET, "
        f".sin_port = htons({port}), .sin_addr.s_addr = htonl(0x7f000001) }}; (void)path; (void)address;"
    )
    code = declared + "".join(f"if (!({attempt})) *out = {n}; " for n, attempt in enumerate(attempts, 1))
    os.environ["EDGE_SV_SECRET"] = "1"
    try:
        worst = _run(cache, **{place: code})[0]
    finally:
        del os.environ["EDGE_SV_SECRET"]
    assert worst == 0, f"it could: {attempts[worst - 1]}"
    assert secret.read_text() == "private" and not made.exists()
    with pytest.raises(TimeoutError):
        listener.accept()
