"""All plots of the report, drawn from its document."""

from __future__ import annotations

from edge_sv.report.figures_net import draw_flash, draw_history, draw_layers, draw_weights
from edge_sv.report.figures_speech import draw_det, draw_drift, draw_front, draw_languages, draw_probes
from edge_sv.report.style import Document, Figure, choose_styles
from edge_sv.system.extras import has_extra

SECTIONS = ("front", "history", "flash", "weights", "layers", "det", "drift", "probes", "languages")


def draw_figures(document: Document) -> dict[str, list[Figure]]:
    """Draw every plot that the document has figures for, section -> plots; none without matplotlib."""
    if not has_extra("plot"):
        return {section: [] for section in SECTIONS}
    styles = choose_styles(document["models"])
    return {
        "front": draw_front(document, styles),
        "history": [draw_history(net) for net in document["nets"] if net["history"]],
        "flash": draw_flash(document, styles),
        "weights": [
            draw_weights(net, document["weights"]["gaussian"]) for net in (document["weights"] or {"nets": []})["nets"]
        ],
        "layers": draw_layers(document, styles),
        "det": [draw_det(each, styles) for each in document["lists"]],
        "drift": draw_drift(document, styles),
        "probes": draw_probes(document, styles),
        "languages": [draw_languages(each, styles, n) for n, each in enumerate(document["languages"])],
    }
