"""What a run is going to do, in numbers that can be counted by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import soundfile

from edge_sv.embedders import KerasEmbedder
from edge_sv.errors import DataError
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import NetDescription, build_net, net_config
from edge_sv.training.config import TrainConfig
from edge_sv.training.corpus import read_corpus
from edge_sv.training.dry_run import describe_run
from edge_sv.training.inputs import Inputs


@pytest.fixture
def inputs(corpus: Path, tmp_path: Path) -> Inputs:
    return Inputs(data=corpus, reference=None, open_teacher=KerasEmbedder, find_net=Path, cache=tmp_path / "cache")


def test_the_numbers_are_those_of_corpus_and_net(config: TrainConfig, inputs: Inputs) -> None:
    run = describe_run(config, inputs)
    utterances = read_corpus(inputs.data)
    assert run.recordings == len(utterances)
    assert run.hours == pytest.approx(sum(soundfile.info(u.path).duration for u in utterances) / 3600)
    assert run.classes == run.speakers * len(config.augment.speeds)
    assert run.speakers == len({utterance.speaker for utterance in utterances})
    assert sum(run.shares.values()) == pytest.approx(1)
    assert run.steps == config.optimizer.epochs * config.optimizer.steps_per_epoch
    crops = run.steps * config.optimizer.batch_size
    assert run.heard_hours == pytest.approx(crops * config.segments.frames * config.front_end.hop_ms / 3.6e6)
    shape = net_config(config.net.family, config.net.config)
    rule = SegmentRule(config.segments.frames)
    model = build_net(NetDescription(config.name, config.net.family, shape, config.front_end, rule))
    assert 0 < run.parameters <= model.count_params() and run.macs > run.parameters


def test_it_leaves_nothing_behind(config: TrainConfig, inputs: Inputs) -> None:
    describe_run(config, inputs)
    assert not inputs.cache.exists()


def test_data_that_is_no_audio_is_named(config: TrainConfig, inputs: Inputs, tmp_path: Path) -> None:
    for speaker in ("a", "b"):
        (tmp_path / "bad" / speaker).mkdir(parents=True)
        (tmp_path / "bad" / speaker / "x.wav").write_bytes(b"no sound")
    augment = config.augment.model_copy(update={"noise": None})
    validation = config.validation.model_copy(update={"trials": ()})
    plain = config.model_copy(update={"augment": augment, "validation": validation, "corpus_weights": {}})
    with pytest.raises(DataError, match=r"x\.wav"):
        describe_run(plain, dataclasses.replace(inputs, data=tmp_path / "bad"))
