"""Draw the pictures of README and docs: how data flows, and the wings of the package with their floors.

    python scripts/draw_pictures.py [--check]

The wings are read from the imports, so the picture is what the code is; `--check` fails when a picture is stale.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGES = REPOSITORY / "docs" / "images"
PACKAGE = REPOSITORY / "edge_sv"

STYLE = """<style>
  text { font: 15px system-ui, sans-serif; fill: #1c1e21; }
  .small { font-size: 12px; fill: #57606a; }
  .box { fill: #f4f6f8; stroke: #8c959f; }
  .device { fill: #e3f0ff; stroke: #3573b9; }
  .line { stroke: #57606a; stroke-width: 1.5; fill: none; marker-end: url(#head); }
  .head { fill: #57606a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9da7b3; }
    .box { fill: #21262d; stroke: #6e7681; } .device { fill: #12263f; stroke: #58a6ff; }
    .line { stroke: #9da7b3; } .head { fill: #9da7b3; }
  }
</style>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
<path class="head" d="M0 0 10 5 0 10z"/></marker></defs>"""

STEPS = (
    ("audio", "16 kHz, 16 bits"),
    ("front end", "log-mel frames,\nrunning mean"),
    ("net", "int8, 4 bits, palettes;\n2 s at a time"),
    ("embedding", "64 to 192 numbers,\nlength 1"),
)


def main() -> int:
    """Write the pictures, or compare them with what they should be."""
    pictures = {"data-flow.svg": draw_flow(), "architecture.svg": draw_wings(floors(wing_imports()))}
    stale = [name for name, text in pictures.items() if not _is_written(name, text)]
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"stale: {', '.join(stale)}; run python scripts/draw_pictures.py", file=sys.stderr)
        return 1 if stale else 0
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (IMAGES / name).write_text(pictures[name])
    return 0


def _is_written(name: str, text: str) -> bool:
    return (IMAGES / name).is_file() and (IMAGES / name).read_text() == text


def draw_flow() -> str:
    """Draw a recording's way to a decision: enrolled on the upper path, verified on the lower one."""
    parts = [_box(20 + 185 * number, 60, 150, 84, title, note) for number, (title, note) in enumerate(STEPS)]
    parts += [_arrow(170 + 185 * number, 102, 205 + 185 * number, 102) for number in range(len(STEPS) - 1)]
    parts.append(_box(780, 14, 170, 70, "voice print", "mean of embeddings,\non disk or in flash"))
    parts.append(_box(780, 120, 170, 70, "decision", "score against a print,\nthreshold"))
    parts += [_arrow(725, 92, 775, 56), _arrow(725, 112, 775, 148), _arrow(865, 84, 865, 118)]
    parts.append('<text class="small" x="728" y="50" text-anchor="end">enroll</text>')
    parts.append('<text class="small" x="728" y="162" text-anchor="end">verify</text>')
    parts.append('<rect class="device" x="8" y="212" width="944" height="44" rx="8"/>')
    words = (
        "the same bits in Python, in TensorFlow Lite Micro and in C on an emulated Cortex-M: every build compares them"
    )
    parts.append(f'<text x="480" y="239" text-anchor="middle">{words}</text>')
    return _svg(960, 270, "A recording becomes a voice print or a decision", parts)


def wing_imports() -> dict[str, set[str]]:
    """Read which wing imports which: wing -> wings."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        wing = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if wing.startswith("__"):
            continue
        imported = {name.split(".")[1] for name in _imported(path) if name.count(".") >= 1}
        found.setdefault(wing, set()).update(imported - {wing})
    return {wing: {name for name in names if name in found} for wing, names in found.items()}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("edge_sv"):
            yield from (node.module,) if "." in node.module else (f"edge_sv.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("edge_sv"))


def floors(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Put each wing one floor above the highest that it imports; the ground floor comes first.

    Raises:
        ValueError: wings import each other in a circle.
    """
    floor: dict[str, int] = {}

    def find(wing: str, above: tuple[str, ...]) -> int:
        if wing in above:
            raise ValueError(f"a circle of imports: {' -> '.join((*above, wing))}")
        if wing not in floor:
            floor[wing] = 1 + max((find(name, (*above, wing)) for name in sorted(imports[wing])), default=-1)
        return floor[wing]

    for wing in sorted(imports):
        find(wing, ())
    return [sorted(name for name, at in floor.items() if at == level) for level in range(1 + max(floor.values()))]


def draw_wings(levels: list[list[str]]) -> str:
    """Draw the wings, the ground floor below; a wing imports only from lower floors."""
    height, parts = 46, []
    for level, wings in enumerate(levels):
        y = 16 + (len(levels) - 1 - level) * height
        parts.append(f'<text class="small" x="30" y="{y + 22}" text-anchor="end">{level + 1}</text>')
        for number, wing in enumerate(wings):
            x = 48 + 172 * number
            parts.append(_box(x, y, 160, 34, wing, "", "device" if (PACKAGE / wing).is_dir() else "box"))
            note = _first_words(PACKAGE / wing / "__init__.py") if len(wings) == 1 else ""
            parts.append(f'<text class="small" x="{x + 174}" y="{y + 22}">{escape(note)}</text>')
    return _svg(960, 24 + len(levels) * height, "The wings of edge_sv by floors: each imports only from below", parts)


def _first_words(path: Path) -> str:
    if not path.is_file():
        return "what went wrong, in words, with an exit code"
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    first = text.split(".")[0].replace("\n", " ")
    return first if len(first) <= 100 else f"{first[:99].rsplit(' ', 1)[0]} ..."


def _box(x: int, y: int, width: int, height: int, title: str, note: str, kind: str = "box") -> str:
    lines = note.split("\n") if note else []
    middle = x + width / 2
    top = y + height / 2 + 5 - 8 * len(lines)
    text = f'<text x="{middle:g}" y="{top:g}" text-anchor="middle">{escape(title)}</text>'
    text += "".join(
        f'<text class="small" x="{middle:g}" y="{top + 18 + 15 * number:g}" text-anchor="middle">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>{text}'


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<path class="line" d="M{x1} {y1} {x2} {y2}"/>'


def _svg(width: int, height: int, title: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    return f"{head}\n<title>{escape(title)}</title>\n{STYLE}\n{body}\n</svg>\n"


if __name__ == "__main__":
    sys.exit(main())
