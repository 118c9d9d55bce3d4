"""Voice prints as bytes and files, and the decisions made with them."""

from __future__ import annotations

import hashlib
import logging
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import FeatureConfig, log_mel
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.scoring.scores import Scoring
from edge_sv.system.array_types import Float32, Int16
from edge_sv.system.bundled import assets_dir
from edge_sv.verification.verifier import Decision, Verifier, VoicePrint, load_print, save_print, wipe_print

SHA = hashlib.sha256(b"a model").hexdigest()


class SpectrumEmbedder:
    """The long-term spectrum's shape as an embedding: simple, and enough to tell the bundled voices apart."""

    features = FeatureConfig(num_mels=40)
    segments = SegmentRule()
    embedding_dim = 40
    model_sha256 = SHA
    sources_sha256 = "of the test"

    def embed(self, pcm: Int16) -> Float32:
        spectrum = log_mel(pcm, self.features).mean(axis=0)
        return normalize_length(spectrum - spectrum.mean())


def voice(name: str) -> Int16:
    return read_recording(assets_dir() / "voices" / f"{name}.flac")


def make_print(**changes: object) -> VoicePrint:
    values = {"embedding": np.linspace(-1, 1, 8), "model_sha256": SHA, "recordings": 3, "name": "Ada"}
    return VoicePrint(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(SpectrumEmbedder(), Scoring("cosine", 0.95, 0.01))


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


class TestVerifier:
    def test_the_same_voice_is_accepted_and_others_are_not(self, verifier: Verifier) -> None:
        ada = verifier.enroll([voice("ada_1"), voice("ada_2"), voice("ada_3")], name="Ada")
        assert (ada.recordings, ada.name, ada.model_sha256) == (3, "Ada", SHA)
        assert verifier.verify(ada, voice("ada_4")).accepted
        for other in ("bea_1", "carl_1", "dan_1"):
            assert not verifier.verify(ada, voice(other)).accepted

    def test_print_is_the_mean_of_unit_embeddings(self, verifier: Verifier) -> None:
        recordings = [voice("ada_1"), voice("bea_1")]
        expected = np.mean([verifier.embedder.embed(pcm) for pcm in recordings], axis=0)
        np.testing.assert_allclose(verifier.enroll(recordings).embedding, expected, atol=1e-7)

    def test_adding_equals_enrolling_all_at_once(self, verifier: Verifier) -> None:
        recordings = [voice(f"ada_{i}") for i in range(1, 5)]
        first = verifier.enroll(recordings[:1], name="Ada")
        grown = verifier.enroll(recordings[3:], add_to=verifier.enroll(recordings[1:3], add_to=first))
        np.testing.assert_allclose(grown.embedding, verifier.enroll(recordings).embedding, atol=1e-7)
        assert (grown.recordings, grown.name) == (4, "Ada")

    def test_another_models_print_is_refused(self, verifier: Verifier) -> None:
        foreign = make_print(embedding=np.ones(40), model_sha256=hashlib.sha256(b"another").hexdigest())
        for act in (
            lambda: verifier.verify(foreign, voice("ada_1")),
            lambda: verifier.enroll([voice("ada_1")], add_to=foreign),
        ):
            with pytest.raises(DataError) as caught:
                act()
            assert SHA[:12] in str(caught.value)
            assert foreign.model_sha256[:12] in str(caught.value)

    def test_a_stranger_among_the_recordings_brings_a_warning(
        self, verifier: Verifier, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        verifier.enroll([voice("ada_1"), voice("ada_2"), voice("ada_3")])
        assert not caplog.records
        verifier.enroll([voice("ada_1"), voice("carl_1"), voice("ada_2"), voice("ada_3")])
        assert "recording 2 scores" in caplog.text

    def test_recordings_without_speech_are_refused(self, verifier: Verifier) -> None:
        with pytest.raises(DataError, match="recording 2 is silent"):
            verifier.enroll([voice("ada_1"), np.zeros(16000, np.int16)])
        with pytest.raises(DataError, match="too short"):
            verifier.verify(make_print(embedding=np.ones(40)), np.ones(1, np.int16))

    def test_nothing_to_enroll(self, verifier: Verifier) -> None:
        with pytest.raises(UsageError, match="at least one"):
            verifier.enroll([])

    def test_without_a_threshold_one_can_only_enroll(self) -> None:
        verifier = Verifier(SpectrumEmbedder(), None)
        ada = verifier.enroll([voice("ada_1"), voice("carl_1")])
        with pytest.raises(UsageError, match="threshold"):
            verifier.verify(ada, voice("ada_2"))

    def test_threshold_itself_is_accepted(self) -> None:
        assert Decision(score=0.5, threshold=0.5).accepted
        assert not Decision(score=np.nextafter(0.5, 0), threshold=0.5).accepted
        assert not Decision(score=float("nan"), threshold=0.5).accepted
