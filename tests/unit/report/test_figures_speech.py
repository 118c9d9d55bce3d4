"""Plots of models on speech name every model that was scored, and bear what figures may be: nothing, zero, unknown."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator

import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'edge-sv[plot]'")

from edge_sv.report.figures_speech import draw_det, draw_drift, draw_front, draw_languages, draw_probes
from edge_sv.report.style import Figure, choose_styles
from tests.unit.report.documents import Document, make_document, make_languages, make_list

NAMES = {"float", "static_wi8_ai8", "palette_w4_ai8"}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A warning of matplotlib's is a plot that shows nothing, or not what it should."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.fixture
def document() -> Document:
    return make_document()


def texts(figure: Figure) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg)


def styles(document: Document) -> dict:
    return choose_styles(document["models"])


class TestFront:
    def test_a_point_a_model_by_name(self, document: Document) -> None:
        (figure,) = draw_front(document, styles(document))
        assert set(texts(figure)) >= NAMES
        assert "all test lists together" in figure.caption and "cortex-m" in figure.caption

    def test_without_lists_the_check_s_figures_stand(self, document: Document) -> None:
        document["lists"] = []
        document["models"][2]["dev_eer"] = None
        (figure,) = draw_front(document, styles(document))
        assert set(texts(figure)) & NAMES == NAMES - {"palette_w4_ai8"}
        assert "development lists" in figure.caption

    def test_one_point_is_no_front(self, document: Document) -> None:
        for model in document["models"][1:]:
            model["bytes"] = None
        assert draw_front(document, styles(document)) == []

    def test_a_list_without_errors_is_drawn(self, document: Document) -> None:
        for errors in document["lists"][-1]["errors"]:
            errors.update(eer=0.0, eer_ci=[0.0, 0.0])
        (figure,) = draw_front(document, styles(document))
        assert set(texts(figure)) >= NAMES

    def test_unknown_intervals_are_drawn_without(self, document: Document) -> None:
        for errors in document["lists"][-1]["errors"]:
            errors["eer_ci"] = None
        assert len(draw_front(document, styles(document))) == 1

    def test_names_of_models_at_one_place_do_not_lie_on_another(self, document: Document) -> None:
        for model, errors in zip(document["models"], document["lists"][-1]["errors"], strict=True):
            model["bytes"] = 10000
            errors.update(eer=0.05, eer_ci=[0.04, 0.06])
        (figure,) = draw_front(document, styles(document))
        places = re.findall(r'<text[^>]* y="([\d.]+)"[^>]*>([^<]*)</text>', figure.svg)
        heights = [float(place) for place, name in places if name in NAMES]
        assert len(heights) == 3
        assert all(abs(a - b) > 8 for a, b in itertools.combinations(heights, 2)), "points, of letters 8 high"


class TestDet:
    def test_the_list_and_its_models_are_named(self, document: Document) -> None:
        figure = draw_det(make_list("my list"), styles(document))
        assert set(texts(figure)) >= NAMES and figure.caption.startswith("my list")
        assert 'id="det-my-list-title"' in figure.svg

    def test_a_list_without_errors_is_drawn(self, document: Document) -> None:
        report = make_list("aa")
        for errors in report["errors"]:
            errors.update(eer=0.0, curve={"miss": [0.0], "false_accept": [0.0]})
        assert set(texts(draw_det(report, styles(document)))) >= NAMES


class TestDrift:
    def test_models_with_a_float_net_are_drawn(self, document: Document) -> None:
        (figure,) = draw_drift(document, styles(document))
        assert set(texts(figure)) & NAMES == NAMES - {"float"}
        assert {"0 to 0.1", "from 0.1"} <= set(texts(figure))

    @pytest.mark.parametrize("change", ["no lists", "no drift"])
    def test_without_drift_there_is_no_plot(self, document: Document, change: str) -> None:
        if change == "no lists":
            document["lists"] = []
        else:
            for errors in document["lists"][-1]["errors"]:
                errors["drift"] = None
        assert draw_drift(document, styles(document)) == []


class TestRowsWithIntervals:
    def test_probes_are_named_by_task_and_corpus(self, document: Document) -> None:
        (figure,) = draw_probes(document, styles(document))
        assert set(texts(figure)) >= NAMES | {"gender, aa"}
        assert draw_probes({**document, "probes": {"probes": [], "skipped": []}}, styles(document)) == []

    def test_a_row_a_language_pair(self, document: Document) -> None:
        shown = texts(draw_languages(make_languages(), styles(document), 0))
        assert set(shown) >= NAMES
        assert len([text for text in shown if text.endswith("enrolled,")]) == 2

    def test_several_lists_have_ids_of_their_own(self, document: Document) -> None:
        first, second = (draw_languages(make_languages(), styles(document), number) for number in (0, 1))
        ids = [set(re.findall(r'\bid="([^"]+)"', figure.svg)) for figure in (first, second)]
        assert ids[0] and not ids[0] & ids[1]
