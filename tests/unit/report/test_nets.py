"""What the report says of a float net: from its folder where it is at hand, else from what was made of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge_sv.analysis.compared_models import find_compared_models
from edge_sv.artifacts.artifact import load_artifact
from edge_sv.errors import DataError
from edge_sv.report import nets
from edge_sv.report.nets import describe_net, read_history
from edge_sv.system.bundled import assets_dir
from edge_sv.training.history import to_csv

NET = assets_dir() / "resnet-nano"
ARTIFACT = NET / "static_wi8_ai8"


class TestHistory:
    def test_what_training_writes_is_read(self, tmp_path: Path) -> None:
        rows = [{"epoch": n, "loss": 3.0 / n, "dev_eer": 0.25 / n} for n in (1, 2, 3)]
        (tmp_path / "history.csv").write_bytes(to_csv(rows))
        found = read_history(tmp_path / "history.csv")
        assert found == {name: [row[name] for row in rows] for name in rows[0]}

    def test_there_may_be_none(self, tmp_path: Path) -> None:
        assert read_history(tmp_path / "history.csv") is None

    @pytest.mark.parametrize("value", ["nan", "inf", "-inf", ""])
    def test_what_a_diverged_training_left_is_unknown_and_stays_json(self, tmp_path: Path, value: str) -> None:
        (tmp_path / "history.csv").write_text(f"epoch,loss\n1,2.5\n2,{value}\n3\n")
        found = read_history(tmp_path / "history.csv")
        assert found == {"epoch": [1, 2, 3], "loss": [2.5, None, None]}
        json.dumps(found, allow_nan=False)

    @pytest.mark.parametrize("content", [b"epoch,loss\n1,low\n", b"epoch,loss\n1,2,3\n\xff,1\n", b"a,b\n1,2\x00\n"])
    def test_no_table_of_numbers_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "history.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"history\.csv is damaged"):
            read_history(tmp_path / "history.csv")


class TestNet:
    def test_a_bundled_net(self) -> None:
        description = json.loads((NET / "net.json").read_text())
        facts = describe_net(find_compared_models(["resnet-nano"]))
        assert (facts.name, facts.folder, facts.family) == ("resnet-nano", "assets/resnet-nano", description["family"])
        assert facts.config == description["config"] and facts.history is None
        assert facts.embedding_dim == load_artifact(ARTIFACT).embedding_dim
        assert facts.epoch == description["provenance"]["epoch"]
        assert set(facts.dev) == {name for name in description["provenance"]["dev"] if name.startswith("dev_eer")}
        json.dumps(facts.to_dict(), allow_nan=False)

    def test_costs_are_the_converted_form_s_where_the_float_net_cannot_be_opened(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nets, "has_tensorflow", lambda: False)
        facts, artifact = describe_net(find_compared_models(["resnet-nano"])), load_artifact(ARTIFACT)
        assert facts.parameters == sum(layer.parameters for layer in artifact.layers)
        assert facts.macs == sum(layer.macs for layer in artifact.layers)
        assert facts.float_bytes == 4 * facts.parameters
        seconds = artifact.segments.frames * artifact.features.hop_ms / 1000
        assert facts.macs_per_second == round(facts.macs / seconds)

    def test_a_converted_form_alone_has_no_folder(self, tmp_path: Path) -> None:
        shutil.copytree(ARTIFACT, tmp_path / "alone")
        facts = describe_net(find_compared_models([tmp_path / "alone"]))
        assert (facts.folder, facts.family, facts.config, facts.history, facts.epoch) == (None, None, {}, None, None)
        assert facts.features == load_artifact(ARTIFACT).features.to_dict() and facts.segments["frames"] > 0

    def test_a_float_net_alone_without_tensorflow_has_no_costs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nets, "has_tensorflow", lambda: False)
        shutil.copytree(NET, tmp_path / "net", ignore=shutil.ignore_patterns("*_ai8", "compressed"))
        facts = describe_net(find_compared_models([tmp_path / "net"]))
        assert (facts.parameters, facts.macs, facts.macs_per_second, facts.float_bytes) == (None,) * 4
        assert facts.embedding_dim == load_artifact(ARTIFACT).embedding_dim and facts.folder == str(tmp_path / "net")
