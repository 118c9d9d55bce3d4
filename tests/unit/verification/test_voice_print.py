"""Voice prints as bytes and files: what was written comes back, and what was damaged is refused."""

from __future__ import annotations

import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_sv.errors import DataError
from edge_sv.verification.voice_print import VoicePrint, is_print, load_print, locked_print, save_print, wipe_print
from tests.voice_prints import SHA, make_print

prints = st.builds(
    VoicePrint,
    embedding=hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(-1, 1, width=32)).filter(np.any),
    model_sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    recordings=st.integers(1, 2**32 - 1),
    name=st.text(st.characters(codec="utf-8"), max_size=60),
)


class TestBytes:
    @given(prints)
    def test_round_trip_keeps_every_bit(self, voice_print: VoicePrint) -> None:
        read = VoicePrint.from_bytes(voice_print.to_bytes())
        assert read == voice_print
        assert read.embedding.tobytes() == voice_print.embedding.tobytes()
        assert (read.model_sha256, read.recordings, read.name) == (
            voice_print.model_sha256,
            voice_print.recordings,
            voice_print.name,
        )

    def test_layout_is_the_documented_one(self) -> None:
        name, embedding = "Zoë".encode(), struct.pack("<2f", 0.5, -2)
        body = b"ESVPRINT" + struct.pack("<HHI", 1, len(name), 7) + bytes.fromhex(SHA) + struct.pack("<I", 2)
        body += embedding + name
        expected = body + struct.pack("<I", zlib.crc32(body))
        assert make_print(embedding=np.array([0.5, -2]), recordings=7, name="Zoë").to_bytes() == expected

    @settings(max_examples=20, deadline=None)
    @given(prints, st.integers(1, 255))
    def test_every_change_of_one_byte_is_noticed(self, voice_print: VoicePrint, flip: int) -> None:
        data = voice_print.to_bytes()
        for position in range(len(data)):
            damaged = bytearray(data)
            damaged[position] ^= flip
            with pytest.raises(DataError):
                VoicePrint.from_bytes(bytes(damaged))

    def test_every_truncation_is_noticed(self) -> None:
        data = make_print().to_bytes()
        for length in range(1, len(data)):
            with pytest.raises(DataError, match="cut short"):
                VoicePrint.from_bytes(data[:length])

    @given(st.binary(max_size=200))
    def test_other_files_are_refused(self, data: bytes) -> None:
        with pytest.raises(DataError):
            VoicePrint.from_bytes(data)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty"),
            (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a voice print"),
            (make_print().to_bytes() + b"\0", "checksum"),
        ],
    )
    def test_error_says_what_is_wrong(self, data: bytes, reason: str) -> None:
        with pytest.raises(DataError) as caught:
            VoicePrint.from_bytes(data, source="ada.print")
        assert reason in str(caught.value)
        assert "ada.print" in str(caught.value)

    @pytest.mark.parametrize(
        ("offset", "value", "reason"),
        [
            (8, struct.pack("<H", 2), "version 2"),
            (8, struct.pack("<H", 0), "version 0"),
            (10, struct.pack("<H", 2), "do not add up"),
            (12, struct.pack("<I", 0), "recordings"),
            (52, struct.pack("<f", float("nan")), "finite"),
            (-7, b"\xff", "UTF-8"),
        ],
    )
    def test_wrong_values_under_a_right_checksum_are_refused(self, offset: int, value: bytes, reason: str) -> None:
        body = bytearray(make_print().to_bytes()[:-4])
        start = offset if offset >= 0 else len(body) + 4 + offset
        body[start : start + len(value)] = value
        with pytest.raises(DataError, match=reason):
            VoicePrint.from_bytes(bytes(body) + struct.pack("<I", zlib.crc32(body)))

    def test_repr_hides_the_embedding(self) -> None:
        text = repr(make_print(embedding=np.full(8, 0.123)))
        assert "0.123" not in text
        assert "embedding" not in text

    def test_embedding_cannot_be_changed(self) -> None:
        mine = np.ones(4, np.float32)
        voice_print = make_print(embedding=mine)
        mine[0] = 9
        assert voice_print.embedding[0] == 1
        with pytest.raises(ValueError, match="read-only"):
            voice_print.embedding[0] = 2

    @pytest.mark.parametrize(
        "changes",
        [
            {"embedding": np.zeros(8)},
            {"embedding": np.array([1, np.inf])},
            {"embedding": np.ones((2, 2))},
            {"model_sha256": "abc"},
            {"recordings": 0},
            {"name": "x" * 256},
        ],
    )
    def test_impossible_prints_cannot_be_made(self, changes: dict[str, object]) -> None:
        with pytest.raises(DataError, match="impossible"):
            make_print(**changes)


class TestFiles:
    def test_only_the_owner_can_read(self, tmp_path: Path) -> None:
        save_print(tmp_path / "new" / "ada.print", make_print())
        assert stat.S_IMODE((tmp_path / "new" / "ada.print").stat().st_mode) == 0o600
        assert load_print(tmp_path / "new" / "ada.print") == make_print()
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["ada.print"]

    def test_an_open_print_is_loaded_with_a_warning(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        save_print(tmp_path / "ada.print", make_print())
        assert not caplog.records
        (tmp_path / "ada.print").chmod(0o644)
        load_print(tmp_path / "ada.print")
        assert "mode 0644" in caplog.text

    def test_a_folder_open_to_all_brings_a_warning(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        tmp_path.chmod(0o1777)
        save_print(tmp_path / "ada.print", make_print())
        assert not caplog.records
        tmp_path.chmod(0o777)
        save_print(tmp_path / "ada.print", make_print())
        assert "writable by all" in caplog.text

    @pytest.mark.parametrize("room", [0, 1, 50, 90])
    def test_a_disk_that_takes_no_more_leaves_the_old_print(self, tmp_path: Path, room: int) -> None:
        resource = pytest.importorskip("resource", reason="limits need a POSIX system")
        path = tmp_path / "ada.print"
        save_print(path, make_print())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            with pytest.raises(DataError, match="cannot write"):
                save_print(path, make_print(name="Bea"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert load_print(path).name == "Ada"
        assert [file.name for file in tmp_path.iterdir()] == ["ada.print"]

    def test_missing_file_says_how_to_make_one(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="edge-sv enroll"):
            load_print(tmp_path / "nobody.print")

    def test_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot read"):
            load_print(tmp_path)

    def test_wiping_overwrites_before_it_removes(self, tmp_path: Path) -> None:
        path, witness = tmp_path / "ada.print", tmp_path / "same-bytes"
        save_print(path, make_print())
        size = path.stat().st_size
        witness.hardlink_to(path)
        wipe_print(path)
        assert not path.exists()
        assert witness.read_bytes() == bytes(size)
        with pytest.raises(DataError, match="cannot wipe"):
            wipe_print(path)

    def test_a_print_is_told_by_its_first_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "ada.print"
        save_print(path, make_print())
        assert is_print(path)
        path.write_bytes(path.read_bytes()[:20])
        assert is_print(path)
        path.write_bytes(b"RIFF....WAVE")
        assert not is_print(path)
        with pytest.raises(DataError, match="cannot read"):
            is_print(tmp_path / "absent.print")


def test_wiping_through_a_link_overwrites_the_print_and_removes_both(tmp_path: Path) -> None:
    place, link, other = tmp_path / "far" / "ada.print", tmp_path / "link", tmp_path / "other"
    save_print(place, make_print())
    other.hardlink_to(place)  # keeps the bytes in sight
    link.symlink_to(place)
    wipe_print(link)
    assert not place.exists() and not link.is_symlink()
    assert other.read_bytes() == bytes(len(make_print().to_bytes()))


def test_a_lock_is_one_process_s_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ada.print"
    script = (
        "import sys; from pathlib import Path; from edge_sv.verification.voice_print import locked_print\n"
        "with locked_print(Path(sys.argv[1])): print('in', flush=True)"
    )
    with locked_print(path):
        other = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=2)
    assert other.communicate(timeout=60)[0] == "in\n"
    assert list(path.parent.iterdir()) == []


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="its name must be text in UTF-8"):
        make_print(name="r\udce9my")
