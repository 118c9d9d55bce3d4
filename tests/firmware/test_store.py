"""Voice prints on flash: nothing is lost to a power cut, nothing stays after a wipe, nothing foreign is believed."""

from __future__ import annotations

import ctypes
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.firmware.conftest import COMMON, HOST, SANITIZED, WARNINGS, run, tool
from tests.firmware.print_store import KEY, SHA256, Layout, PrintStore

STORE = [COMMON / "src" / f"esv_{name}.c" for name in ("store", "store_log", "crc32", "siphash", "status")]

NO_PRINT = "there is no voice print of that name: enroll one"
DAMAGED = "the voice print is damaged: enroll again"
REFUSED = "the voice print was not written by this device: wipe it and enroll again"
FULL = "the print store is full: wipe a print first"
STORE_DAMAGED = "the print store is damaged: wipe all prints and enroll again"
OTHER_MODEL = "the voice prints are another model's: wipe them all, or run that model"


def embedding(seed: int, dim: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=dim).astype(np.float32)


@pytest.fixture
def store(device_library: ctypes.CDLL) -> PrintStore:
    made = PrintStore(device_library, Layout())
    assert made.mount(key=KEY) == "ok"
    return made


@pytest.fixture(scope="module")
def power_cut(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    programs = {}
    sources = [HOST / "power_cut.c", HOST / "ram_flash.c", *STORE]
    flags = ["-std=c99", "-O2", "-g", *WARNINGS, *SANITIZED, "-DRAM_FLASH_BYTES=4096u"]
    for compiler in ("gcc", "clang"):
        programs[compiler] = tmp_path_factory.mktemp("power_cut") / compiler
        run([tool(compiler), *flags, "-I", COMMON / "include", "-I", HOST, *sources, "-o", programs[compiler]])
    return programs


@pytest.mark.parametrize(
    ("compiler", "program_bytes", "sectors", "cut", "key"),
    [
        ("gcc", 4, 2, 0, 1),
        ("clang", 4, 3, 1, 0),
        ("gcc", 8, 4, 1, 0),
        ("clang", 8, 2, 2, 1),
        ("gcc", 16, 2, 1, 1),
        ("clang", 16, 3, 2, 0),
        ("gcc", 32, 3, 1, 1),
        ("clang", 32, 2, 2, 0),
    ],
)
def test_a_power_cut_at_any_step_loses_nothing(
    power_cut: dict[str, Path], compiler: str, program_bytes: int, sectors: int, cut: int, key: int
) -> None:
    done = json.loads(run([power_cut[compiler], *map(str, (program_bytes, sectors, cut, key))]))
    assert done["cuts"] >= {4: 600, 8: 300, 16: 170, 32: 110}[program_bytes] and done["second_cuts"] > done["cuts"]


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_power_cut_at_any_byte_loses_nothing(power_cut: dict[str, Path], cut: int) -> None:
    assert json.loads(run([power_cut["gcc"], "1", "2", str(cut), "1"]))["cuts"] >= 2400


class StoreMachine(RuleBasedStateMachine):
    """The store against a dict, with power cuts anywhere."""

    library: ctypes.CDLL
    names = st.sampled_from([b"ada", b"bea", b"carl", b"dan", b"z" * 27, "jürgen".encode()])

    def __init__(self) -> None:
        super().__init__()
        self.store = PrintStore(self.library, Layout(sector_bytes=344, sectors=3, program_bytes=8))
        self.mount()
        self.model: dict[bytes, tuple[int, bytes]] = {}
        self.capacity = self.store.usage().capacity
        assert self.capacity == 3

    def mount(self) -> None:
        assert self.store.mount(key=KEY) == "ok"

    @rule(name=names, seed=st.integers(0, 10**6))
    def put(self, name: bytes, seed: int) -> None:
        values = embedding(seed)
        answer = self.store.put(name, seed, values)
        if name in self.model or len(self.model) < self.capacity:
            assert answer == "ok"
            self.model[name] = (seed, values.tobytes())
        else:
            assert answer == FULL

    @rule(name=names)
    def wipe(self, name: bytes) -> None:
        if name in self.model:
            assert self.store.wipe(name) == "ok"
            _, wiped = self.model.pop(name)
            assert wiped in [values for _, values in self.model.values()] or wiped not in self.store.image
        else:
            assert self.store.wipe(name) in ("ok", NO_PRINT)  # ok: an unfinished one was there

    @rule()
    def wipe_all(self) -> None:
        assert self.store.wipe(None) == "ok"
        for _, values in self.model.values():
            assert values not in self.store.image
        self.model.clear()

    @rule()
    def remount(self) -> None:
        self.mount()

    @rule(name=names, seed=st.integers(0, 10**6), steps=st.integers(0, 60), cut=st.integers(0, 2), wipes=st.booleans())
    def lose_power(self, name: bytes, seed: int, steps: int, cut: int, wipes: bool) -> None:
        self.store.power_up(steps, cut=cut)
        before = dict(self.model)
        if wipes:
            self.model.pop(name, None)
            self.store.wipe(name)
        else:
            if name in self.model or len(self.model) < self.capacity:
                self.model[name] = (seed, embedding(seed).tobytes())
            self.store.put(name, seed, embedding(seed))
        finished = not self.store.flash.dead
        self.store.power_up()
        self.mount()
        if not finished and not self.holds(self.model):
            self.model = before

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def rot(self, data: st.DataObject) -> None:
        """One wrong bit anywhere: each print is what it was, or known as damaged; then the flash is mended."""
        at = data.draw(st.integers(0, self.store.used * 8 - 1))
        self.store.flash.bytes[at // 8] ^= 1 << at % 8
        for name, right in self.model.items():
            got = self.store.get(name)
            earlier = isinstance(got, tuple) and got != right  # the print before the last; never a changed one
            assert got == right or earlier or got in (DAMAGED, NO_PRINT)
            assert not earlier or self.store.usage().spoiled > 0
        self.store.flash.bytes[at // 8] ^= 1 << at % 8

    @invariant()
    def holds_the_model(self) -> None:
        assert self.holds(self.model)

    def holds(self, model: dict[bytes, tuple[int, bytes]]) -> bool:
        names = {name: recordings for name, (recordings, _) in model.items()}
        return self.store.prints() == names and all(self.store.get(name) == kept for name, kept in model.items())


def test_the_store_is_a_dict_that_survives(device_library: ctypes.CDLL) -> None:
    StoreMachine.library = device_library
    run_state_machine_as_test(StoreMachine, settings=settings(max_examples=100, stateful_step_count=50, deadline=None))


def test_a_print_may_be_replaced_in_a_full_store_and_none_added(store: PrintStore) -> None:
    capacity = store.usage().capacity
    for i in range(capacity):
        assert store.put(b"p%d" % i, 1, embedding(i)) == "ok"
    assert store.put(b"one-more", 1, embedding(99)) == FULL
    assert store.put(b"p3", 2, embedding(100)) == "ok"
    assert store.get(b"p3") == (2, embedding(100).tobytes())
    assert store.wipe(b"p0") == "ok" and store.put(b"one-more", 1, embedding(99)) == "ok"
    assert len(store.prints()) == capacity == store.usage().prints


@pytest.mark.parametrize("sectors", [2, 3, 7])
def test_wear_is_spread_over_all_sectors(device_library: ctypes.CDLL, sectors: int) -> None:
    store = PrintStore(device_library, Layout(sectors=sectors))
    store.mount()
    capacity = store.usage().capacity
    for i in range(1000):
        assert store.put(b"ada", i, embedding(i)) == "ok"
    erases = store.flash.erases[:sectors]
    assert max(erases) - min(erases) <= 1
    assert sum(erases) <= 1000 / (capacity - 1) + sectors + 1


def test_wiped_prints_and_all_their_versions_leave_the_flash(store: PrintStore) -> None:
    for i in range(5):
        store.put(b"ada", i, embedding(i))
        store.put(b"bea", i, embedding(10 + i))
    assert embedding(3).tobytes() in store.image
    assert store.wipe(b"ada") == "ok"
    assert not any(embedding(i).tobytes() in store.image for i in range(5))
    assert b"ada" not in store.image
    assert store.get(b"bea") == (4, embedding(14).tobytes())
    assert store.wipe(None) == "ok"
    assert not any(embedding(10 + i).tobytes() in store.image for i in range(5))
    assert store.prints() == {}


def test_prints_of_another_model_are_refused_and_kept(store: PrintStore) -> None:
    store.put(b"ada", 3, embedding(1))
    image = store.image
    for other in ({"sha256": bytes(32)}, {"dim": 7}):
        assert store.mount(key=KEY, **other) == OTHER_MODEL  # type: ignore[arg-type]
        assert store.get(b"ada") == store.put(b"bea", 1, embedding(2, 7)) == store.wipe(b"ada") == OTHER_MODEL
        assert store.image == image
    assert store.mount(key=KEY) == "ok" and store.get(b"ada") == (3, embedding(1).tobytes())
    assert store.mount(sha256=bytes(32), key=KEY) == OTHER_MODEL
    assert store.wipe(None) == "ok" and store.put(b"bea", 1, embedding(2)) == "ok"
    assert embedding(1).tobytes() not in store.image


def slot_of(image: bytes, name: bytes, slot_bytes: int = 80) -> tuple[int, bytes]:
    at = image.index(name.ljust(28, b"\0"))
    return at, image[at : at + slot_bytes]


def write(store: PrintStore, at: int, data: bytes) -> None:
    ctypes.memmove(ctypes.addressof(store.flash.bytes) + at, data, len(data))


def with_crc(slot: bytes) -> bytes:
    crc = zlib.crc32(slot[:-8])
    return slot[:-8] + struct.pack("<II", crc, crc ^ 0xFFFFFFFF)


def test_a_swapped_print_is_refused(store: PrintStore) -> None:
    """Somebody who can write the flash puts one voice under another's name; the CRC is right, the tag is not."""
    store.put(b"ada", 1, embedding(1))
    store.put(b"eve", 1, embedding(2))
    at, slot = slot_of(store.image, b"ada")
    _, thief = slot_of(store.image, b"eve")
    assert with_crc(slot) == slot
    write(store, at, with_crc(slot[:28] + thief[28:]))
    assert store.get(b"ada") == REFUSED and store.prints() == {b"eve": 1}
    assert store.usage().spoiled == 1
    assert store.mount() == "ok" and store.get(b"ada") == (1, embedding(2).tobytes())  # without a key it is believed
    assert store.mount(key=KEY) == "ok" and store.wipe(b"ada") == "ok" and store.get(b"ada") == NO_PRINT


def test_prints_of_another_device_are_refused(store: PrintStore) -> None:
    store.put(b"ada", 1, embedding(1))
    assert store.mount(key=bytes(16)) == "ok"
    assert store.get(b"ada") == REFUSED and store.prints() == {}


def test_the_tag_is_bound_to_the_model(device_library: ctypes.CDLL, store: PrintStore) -> None:
    """The same key and print under another model's name: only the header's SHA-256 and its CRC were rewritten."""
    store.put(b"ada", 1, embedding(1))
    image = store.image
    for start in range(0, len(image) - 48, 4):
        header = image[start : start + 48]
        if header[:4] == b"ESV1" and header[12:44] == SHA256:
            body = header[:12] + bytes(32)
            write(store, start, body + struct.pack("<I", zlib.crc32(body)))
    assert store.mount(sha256=bytes(32), key=KEY) == "ok" and store.get(b"ada") == REFUSED


def test_a_store_with_both_headers_rotten_is_not_formatted(store: PrintStore) -> None:
    store.put(b"ada", 1, embedding(1))
    image = store.image
    headers = [at for at in range(len(image)) if image[at : at + 4] == b"ESV1"]
    assert len(headers) == 2
    store.flash.bytes[headers[0] + 9] ^= 1
    assert store.mount(key=KEY) == "ok" and store.get(b"ada") == (1, embedding(1).tobytes())
    store.flash.bytes[headers[1] + 30] ^= 1
    assert store.mount(key=KEY) == STORE_DAMAGED
    assert embedding(1).tobytes() in store.image
    assert store.wipe(None) == "ok" and embedding(1).tobytes() not in store.image
    assert store.put(b"ada", 1, embedding(1)) == "ok"


def test_flash_that_holds_something_else_becomes_a_store(device_library: ctypes.CDLL) -> None:
    store = PrintStore(device_library, Layout())
    write(store, 0, np.random.default_rng(1).bytes(store.used))
    assert store.mount() == "ok" and store.prints() == {} and store.put(b"ada", 1, embedding(1)) == "ok"


@pytest.mark.parametrize("name", [b"", b"two words", b"tab\t", b"del\x7f", b"x" * 28])
def test_impossible_names(store: PrintStore, name: bytes) -> None:
    wrong = "a name has 1 to 27 bytes, without spaces or control characters"
    assert store.put(name, 1, embedding(1)) == store.get(name) == store.wipe(name) == wrong


@pytest.mark.parametrize(
    "layout",
    [
        Layout(sectors=1),
        Layout(sector_bytes=160),
        Layout(program_bytes=3),
        Layout(program_bytes=64),
        Layout(sector_bytes=1020, program_bytes=8),
    ],
)
def test_impossible_flash(device_library: ctypes.CDLL, layout: Layout) -> None:
    assert PrintStore(device_library, layout).mount() == "a pointer is null or a size is zero"


def test_the_memory_of_a_store_forgets_prints(store: PrintStore) -> None:
    store.put(b"ada", 1, embedding(1))
    store.get(b"ada")
    store.prints()
    assert embedding(1).tobytes()[:8] not in bytes(store.memory)
