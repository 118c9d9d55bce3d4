"""A model looks the same in all plots, and like no other."""

from __future__ import annotations

import pytest

from edge_sv.report.style import choose_styles, slug
from edge_sv.report.svg import COLORS, FLOAT_COLOR


def models(count: int) -> list[dict[str, object]]:
    own = {"label": "net float", "short": "float", "is_float": True}
    return [own, *({"label": f"net {n}", "short": str(n), "is_float": False} for n in range(count))]


def test_up_to_thirty_models_are_told_apart() -> None:
    styles = choose_styles(models(30))
    looks = {(style.color, style.marker, style.line) for style in styles.values()}
    assert len(looks) == len(styles) == 31


def test_up_to_ten_are_told_apart_by_color_alone_and_by_marker_alone() -> None:
    converted = list(choose_styles(models(10)).values())[1:]
    assert len({style.color for style in converted}) == len({style.marker for style in converted}) == 10
    assert {style.line for style in converted} == {"-"}


def test_float_nets_are_dark_and_dashed_and_take_no_color_away() -> None:
    styles = choose_styles(models(2))
    assert (styles["net float"].color, styles["net float"].line) == (FLOAT_COLOR, "--")
    assert FLOAT_COLOR not in COLORS
    alone = choose_styles(models(2)[1:])
    assert {label: styles[label] for label in alone} == alone


def test_a_name_is_the_short_one() -> None:
    assert {label: style.name for label, style in choose_styles(models(1)).items()} == {
        "net float": "float",
        "net 0": "0",
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [("resnet-nano", "resnet-nano"), ("All lists", "all-lists"), (" a/b.c_d ", "a-b-c-d"), ("x<y>&\"'", "x-y")],
)
def test_ids_hold_letters_digits_and_dashes(text: str, found: str) -> None:
    assert slug(text) == found
