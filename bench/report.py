"""The table, on the terminal and in the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.rows import Result

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def line(result: Result) -> str:
    """One result as it comes in."""
    row = result.row
    verdict = "" if result.met else " missed"
    return (
        f"{row.name}: {result.ours * row.scale:.2f} {row.unit}, {row.peer} {result.theirs * row.scale:.2f} {row.unit}, "
        f"{result.ratio:.2f} (<= {row.target:g}{verdict})"
    )


def table(results: Sequence[Result]) -> str:
    """A Markdown table that is also readable as it stands."""
    head = ("what", "ours", "peer", "", "ratio", "target", "n")
    body = [
        (
            result.row.title,
            _shown(result.ours, result),
            _shown(result.theirs, result),
            result.row.peer,
            f"{result.ratio:.2f}",
            f"<= {result.row.target:g}" + ("" if result.met else " missed"),
            str(result.row.runs),
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in [head, *body]
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _shown(value: float, result: Result) -> str:
    digits = 2 if result.row.unit == "s" else 1
    return f"{value * result.row.scale:.{digits}f} {result.row.unit}"


def write(document: Path, text: str) -> None:
    """Replaces what stands between the markers."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
