"""``moby builder du``: what the cache of builds holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.cli.table.builds import BuilderDuOptions
    from moby_tui.schema.system import BuildCache

_HEADINGS = {
    "ID": "ID",
    "Reclaimable": "RECLAIMABLE",
    "Size": "SIZE",
    "LastUsed": "LAST ACCESSED",
    "Type": "TYPE",
    "Description": "DESCRIPTION",
}
_SHOWN = 60


def disk_use(options: BuilderDuOptions) -> None:
    """``moby builder du``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.units import human_size

    rows = session.call(lambda client: client.system.disk_usage()).build_cache
    shown = [_row(row, no_trunc=options.no_trunc) for row in rows]
    for line in formatted(options.format, _HEADINGS, tuple(_HEADINGS), shown, kind="*commands.diskusageContext"):
        print(line)
    if not options.format:
        print(f"Reclaimable:\t{human_size(sum(row.size for row in rows if not row.in_use))}")
        print(f"Total:\t\t{human_size(sum(row.size for row in rows))}")


def _row(row: BuildCache, *, no_trunc: bool) -> dict[str, str]:
    from moby_tui.cli.output.text import printable, shortened
    from moby_tui.cli.values.units import human_size

    description = printable(" ".join(row.description.split()))
    return {
        "ID": row.id if no_trunc else row.id[:12],
        "Reclaimable": str(not row.in_use).lower(),
        "Size": human_size(row.size),
        "LastUsed": (row.last_used_at or "")[:19].replace("T", " "),
        "Type": row.type,
        "Description": shortened(description, 0 if no_trunc else _SHOWN),
    }
