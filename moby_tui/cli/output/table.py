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
    format: str,
    headings: Mapping[str, str],
    fields: Sequence[str],
    rows: Iterable[Row],
    *,
    kind: str = "*formatter.Context",
    raw: Mapping[str, str] | None = None,
    checked: bool = False,
) -> list[str]:
    """The rows as ``--format`` says: nothing or ``table`` for the usual fields, ``table TEMPLATE``, ``json``, a template.

    ``kind`` is the type of a row in docker's command line, as errors name it. ``raw`` are the fields of ``--format raw`` by their
    names there. ``checked``: a field that no row has is an error without rows too. Raises ``InvalidArgument`` for a template that cannot be.
    """
    if format in ("", "table"):
        return table(headings, fields, rows)
    if format == "raw" and raw:
        return [line for row in rows for line in (*_raw_lines(raw, row), "")]
    from moby_tui.cli.output.template import RowTemplate

    template = RowTemplate(format.removeprefix("table"), headings, kind, checked=checked)
    lines = [template.render(row) for row in rows]
    if format.startswith("table"):
        return align([line.split("\t") for line in [template.heading(), *lines]])
    return lines


def _raw_lines(names: Mapping[str, str], row: Row) -> Iterable[str]:
    return (f"{name}: {row[field]}" if row[field] else f"{name}:" for name, field in names.items())
