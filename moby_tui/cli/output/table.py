"""Rows under headings, aligned as docker's tables are (Go text/tabwriter: ten wide at least, three blanks between)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

_MINIMUM, _PADDING = 10, 3
Row = Mapping[str, object]


def align(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells in columns. The last cell of a line is not padded."""
    widths: list[int] = []
    for line in lines:
        for index, cell in enumerate(line[:-1]):
            if index == len(widths):
                widths.append(_MINIMUM - _PADDING)
            widths[index] = max(widths[index], len(cell))
    return ["".join([*(cell.ljust(widths[i] + _PADDING) for i, cell in enumerate(line[:-1])), *line[-1:]]) for line in lines]


def table(headings: Mapping[str, str], fields: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """The given fields of each row under their headings."""
    return align([[headings[field] for field in fields], *([str(row[field]) for field in fields] for row in rows)])


def formatted(
    format: str, headings: Mapping[str, str], fields: Sequence[str], rows: Iterable[Row], *, kind: str = "formatter.Context"
) -> list[str]:
    """The rows as ``--format`` says: nothing or ``table`` for the usual fields, ``table TEMPLATE``, ``json``, a template.

    ``kind`` is Go's type of a row, which errors of templates name.

    Raises ``InvalidArgument`` for a template that cannot be.
    """
    if format in ("", "table"):
        return table(headings, fields, rows)
    from moby_tui.cli.output.template import RowTemplate

    template = RowTemplate(format.removeprefix("table"), headings, kind)
    template.check()
    lines = [template.render(row) for row in rows]
    if format.startswith("table"):
        return align([line.split("\t") for line in [template.heading(), *lines]])
    return lines
