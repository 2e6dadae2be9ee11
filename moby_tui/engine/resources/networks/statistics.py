"""How much went over a container's interfaces."""

from __future__ import annotations

from pathlib import Path

from moby_tui.schema.stats import NetworkStats


def interface_stats(pid: int) -> dict[str, NetworkStats]:
    """The counters of every interface but loopback in a process's network namespace (proc_pid_net(5)); empty where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    stats = {}
    for line in lines:
        name, _, counters = line.partition(":")
        if name.strip() != "lo":
            stats[name.strip()] = _parse(counters)
    return stats


def _parse(counters: str) -> NetworkStats:
    received, sent = (values := [int(value) for value in counters.split()])[:8], values[8:]
    return NetworkStats(
        rx_bytes=received[0],
        rx_packets=received[1],
        rx_errors=received[2],
        rx_dropped=received[3],
        tx_bytes=sent[0],
        tx_packets=sent[1],
        tx_errors=sent[2],
        tx_dropped=sent[3],
    )
