"""Enrolling and verifying with an embedder that tells the bundled voices apart."""

from __future__ import annotations

import hashlib
import logging

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import FeatureConfig, log_mel
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.scoring.scores import Scoring
from edge_sv.system.array_types import Float32, Int16
from edge_sv.system.bundled import assets_dir
from edge_sv.verification.verifier import Decision, Verifier, open_verifier
from tests.voice_prints import SHA, make_print


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


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(SpectrumEmbedder(), Scoring("cosine", 0.95, 0.01))


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


def test_a_threshold_replaces_the_models_own() -> None:
    own, chosen = open_verifier("resnet-nano").scoring, open_verifier("resnet-nano", threshold=2.5).scoring
    assert own is not None and chosen is not None
    assert (chosen.kind, chosen.top_n, chosen.threshold, chosen.false_accept_rate) == (own.kind, own.top_n, 2.5, None)
    with pytest.raises(UsageError, match="impossible"):
        open_verifier("resnet-nano", threshold=float("nan"))
