"""The table, on the terminal and in the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.rows import Result

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def table(results: Sequence[Result]) -> str:
    """A Markdown table that is also readable as it stands."""
    head = ("what", "ours", "peer", "", "ratio", "target", "n")
    body = [
        (
            result.row.title,
            f"{result.ours * result.row.scale:.1f} {result.row.unit}",
            f"{result.theirs * result.row.scale:.1f} {result.row.unit}",
            result.row.peer,
            f"{result.ratio:.2f}",
            f"<= {result.row.target:.1f}" + ("" if result.met else " missed"),
            str(result.row.runs),
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in [head, *body]
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def write(document: Path, text: str) -> None:
    """Replaces what stands between the markers."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
