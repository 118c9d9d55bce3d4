"""Plots of the net show its layers, epochs and bytes, by name and as often as there are some."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'edge-sv[plot]'")

from edge_sv.report.figures_net import draw_flash, draw_history, draw_layers, draw_weights
from edge_sv.report.style import Figure, choose_styles
from tests.unit.report.documents import LAYERS, Document, make_document, make_net


def texts(figure: Figure) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg)


@pytest.fixture
def document() -> Document:
    return make_document()


class TestHistory:
    def test_losses_and_errors_are_two_panels(self) -> None:
        figure = draw_history(make_net())
        assert {"loss", "EER on development lists, %", "aa"} <= set(texts(figure))
        assert "net" in figure.caption

    def test_without_errors_there_is_one(self) -> None:
        net = make_net()
        del net["history"]["dev_eer_aa"]
        assert "EER on development lists, %" not in texts(draw_history(net))

    def test_gaps_one_epoch_and_no_count_of_epochs_are_drawn(self) -> None:
        net = make_net()
        for history in (
            {"loss": [None, 1.0]},
            {"epoch": [1.0], "loss": [2.0]},
            {"epoch": [1.0, 2.0], "aam": [1.0, None]},
        ):
            assert "epoch" in texts(draw_history({**net, "history": history}))

    def test_the_mean_over_lists_is_called_so(self) -> None:
        net = make_net()
        net["history"]["dev_eer"] = [0.3, 0.2, 0.1]
        assert "mean" in texts(draw_history(net))


class TestFlash:
    def test_a_bar_a_model_and_the_parts_that_there_are(self, document: Document) -> None:
        (figure,) = draw_flash(document, choose_styles(document["models"]))
        assert {"static_wi8_ai8", "palette_w4_ai8", "weights or indices", "scales", "biases"} <= set(texts(figure))
        assert not {"codebooks", "graph and names"} & set(texts(figure)), "none of the models has them"
        assert "cortex-m" in figure.caption

    def test_forms_that_do_not_compare_are_not_drawn(self, document: Document) -> None:
        document["models"][1]["bytes_of"] = "tflite"
        assert draw_flash(document, choose_styles(document["models"])) == []


class TestWeights:
    @pytest.mark.parametrize("count", [1, 4, 5])
    def test_a_panel_a_layer(self, document: Document, count: int) -> None:
        net, gaussian = document["weights"]["nets"][0], document["weights"]["gaussian"]
        net["layers"] = [{**net["layers"][0], "layer": f"layer{n}"} for n in range(count)]
        shown = [text for text in texts(draw_weights(net, gaussian)) if text.startswith("layer")]
        assert shown == [f"layer{n}" for n in range(count)]


class TestLayers:
    def test_layers_and_models_are_named(self, document: Document) -> None:
        (figure,) = draw_layers(document, choose_styles(document["models"]))
        assert {*LAYERS, "static_wi8_ai8", "palette_w4_ai8"} <= set(texts(figure))

    def test_each_net_has_a_plot_of_its_own_models(self, document: Document) -> None:
        document["nets"].append({**make_net(), "name": "other"})
        assert len(draw_layers(document, choose_styles(document["models"]))) == 1
        document["forms"][1]["net"] = "other"
        first, second = draw_layers(document, choose_styles(document["models"]))
        assert "palette_w4_ai8" not in texts(first) and "static_wi8_ai8" not in texts(second)

    def test_a_layer_that_one_model_lacks_is_a_gap(self, document: Document) -> None:
        document["layers"][1]["layers"] = document["layers"][1]["layers"][:1]
        (figure,) = draw_layers(document, choose_styles(document["models"]))
        assert [text for text in texts(figure) if text in LAYERS] == list(LAYERS)

    def test_a_model_without_traced_layers_is_left_out(self, document: Document) -> None:
        document["layers"][1]["layers"] = []
        (figure,) = draw_layers(document, choose_styles(document["models"]))
        assert "palette_w4_ai8" not in texts(figure)
