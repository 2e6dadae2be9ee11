"""``moby stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import ContainerStatsOptions
    from moby_tui.schema.stats import Stats


_HEADINGS = {
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
    "Container": "CONTAINER",
}
_SHOWN = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
_PERIOD = 1.0


def stats(options: ContainerStatsOptions, containers: list[str]) -> None:
    """``moby stats``."""
    session.call(
        lambda client: _show(
            client,
            containers or [],
            all=options.all,
            format=options.format,
            once=options.no_stream,
            truncate=not options.no_trunc,
        )
    )


async def _show(client: Client, refs: Sequence[str], *, all: bool, format: str, once: bool, truncate: bool) -> None:
    """One sample of every container, again and again; what comes and goes is followed if none was named."""
    import asyncio
    import sys

    from moby_tui.cli.output.inline import InlineView
    from moby_tui.cli.output.table import formatted

    view = InlineView(sys.stdout)
    while True:
        named = list(refs) or [container.id for container in await client.containers.list(all=all)]
        samples = await asyncio.gather(*(_sample(client, ref, required=bool(refs)) for ref in named))
        rows = [_row(sample, ref, truncate=truncate) for ref, sample in zip(named, samples, strict=True) if sample is not None]
        lines = list(formatted(format, _HEADINGS, _SHOWN, rows, kind="*container.statsContext"))
        if once:
            print("\n".join(lines), flush=True)
            return
        view.show(lines)
        if not named:
            await asyncio.sleep(_PERIOD)


async def _sample(client: Client, ref: str, *, required: bool) -> Stats | None:
    """One sample with the one before it; None for a container that went away meanwhile, unless it was asked for by name."""
    from moby_tui.errors import NotFound

    try:
        async for sample in client.containers.stats(ref, stream=False):
            return sample
    except NotFound:
        if required:
            raise
    return None


def _row(sample: Stats, ref: str, *, truncate: bool) -> dict[str, str]:
    from moby_tui.cli.values.units import binary_size, human_size

    used, limit = sample.memory_used(), sample.memory_stats.limit
    networks = (sample.networks or {}).values()
    received, sent = sum(net.rx_bytes for net in networks), sum(net.tx_bytes for net in networks)
    blocks = sample.blkio_stats.io_service_bytes_recursive or []
    read, written = (sum(entry.value for entry in blocks if entry.op.lower() == op) for op in ("read", "write"))
    return {
        "ID": sample.id[:12] if truncate else sample.id,
        "Name": sample.name.removeprefix("/"),
        # as it was named, or its id
        "Container": ref[:12] if truncate and ref == sample.id else ref,
        "CPUPerc": f"{sample.cpu_percent():.2f}%",
        "MemUsage": f"{binary_size(used)} / {binary_size(limit)}",
        "MemPerc": f"{used / limit * 100 if limit else 0:.2f}%",
        "NetIO": f"{human_size(received, 3)} / {human_size(sent, 3)}",
        "BlockIO": f"{human_size(read, 3)} / {human_size(written, 3)}",
        "PIDs": str(sample.pids_stats.current),
    }
