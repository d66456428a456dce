"""The figures of `python -m benchmarks --json` as a drawing and as a table.

``python -m benchmarks.plot docs/benchmarks.json docs/benchmarks.svg`` draws them, and prints the table.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw", "write_table"]

Row = Mapping[str, Any]
COLORS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"),
    *("#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#000080", "#808000", "#008060"),
)
LEFT, WIDTH, LINE, LEAST, MOST = 250, 560, 9, 0.2, 2.5


def write_table(rows: Sequence[Row]) -> str:
    """Write the ratios with their quartiles in Markdown: steps down, contenders across."""
    contenders = _list_names(rows, "against")
    lines = [f"| a training step | {' | '.join(contenders)} |", "|---" * (1 + len(contenders)) + "|"]
    for step in _list_names(rows, "step"):
        found = {row["against"]: row for row in rows if row["step"] == step}
        cells = [_write_cell(found[name]) if name in found else "" for name in contenders]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(rows: Sequence[Row]) -> str:
    """Draw each ratio as a point on a line from quartile to quartile, steps down, on a scale of logarithms."""
    contenders, steps = _list_names(rows, "against"), _list_names(rows, "step")
    band = LINE * (len(contenders) + 1)
    top = 16 * len(contenders) + 40
    bottom = top + band * len(steps)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {bottom + 30}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{LEFT + WIDTH + 20}" height="{bottom + 30}" fill="white"/>',
        f'<text x="{LEFT}" y="16">luxport\'s time over that of (left of 1 luxport is faster):</text>',
    ]
    for i, name in enumerate(contenders):
        y = 34 + 16 * i
        parts.append(f'<circle cx="{LEFT + 5}" cy="{y - 4}" r="4" fill="{COLORS[i % len(COLORS)]}"/>')
        parts.append(f'<text x="{LEFT + 16}" y="{y}">{name}</text>')
    for tick in (0.25, 0.5, 1.0, 2.0):
        color = "black" if tick == 1 else "#cccccc"
        parts.append(f'<path d="M{_find_x(tick):.1f} {top}V{bottom}" stroke="{color}"/>')
        parts.append(f'<text x="{_find_x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    for n, step in enumerate(steps):
        start = top + band * n
        parts.append(f'<text x="{LEFT - 10}" y="{start + band / 2 + 4}" text-anchor="end">{step}</text>')
        parts.append(f'<path d="M{LEFT} {start}H{LEFT + WIDTH}" stroke="#eeeeee"/>')
        for row in rows:
            if row["step"] == step:
                i = contenders.index(row["against"])
                y, color = start + LINE * (i + 1), COLORS[i % len(COLORS)]
                parts.append(f'<path d="M{_find_x(row["from"]):.1f} {y}H{_find_x(row["to"]):.1f}" stroke="{color}"/>')
                parts.append(f'<circle cx="{_find_x(row["ratio"]):.1f}" cy="{y}" r="3.5" fill="{color}"/>')
    return "\n".join([*parts, "</svg>\n"])


def _find_x(ratio: float) -> float:
    inside = min(max(ratio, LEAST), MOST)
    return LEFT + WIDTH * math.log(inside / LEAST) / math.log(MOST / LEAST)


def _write_cell(row: Row) -> str:
    return f"{row['ratio']:.2f} ({row['from']:.2f}–{row['to']:.2f})"


def _list_names(rows: Sequence[Row], column: str) -> list[str]:
    return list(dict.fromkeys(row[column] for row in rows))


if __name__ == "__main__":
    figures = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(draw(figures))
    print(write_table(figures))
