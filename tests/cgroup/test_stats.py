"""Samples in Docker's shape."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.runtime.client.stats import host_cpu_time, host_memory, parse_network, sample
from moby_tui.schema.base import ZERO_TIME, decode, encode
from moby_tui.schema.stats import Stats

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0
  eth0:1111 22 3 4 0 0 0 0 5555 66 7 8 0 0 0 0
eth0:1: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0
"""


def test_network_counters() -> None:
    found = parse_network(DEV)
    assert found is not None and list(found) == ["eth0", "eth0:1"]
    eth0 = found["eth0"]
    assert (eth0.rx_bytes, eth0.rx_packets, eth0.rx_errors, eth0.rx_dropped) == (1111, 22, 3, 4)
    assert (eth0.tx_bytes, eth0.tx_packets, eth0.tx_errors, eth0.tx_dropped) == (5555, 66, 7, 8)
    assert parse_network(DEV.splitlines()[2]) is None


@given(st.text(alphabet="el:0 19\n"))
def test_any_text_is_survived(text: str) -> None:
    parse_network(text)


def test_a_busy_process_shows() -> None:
    cgroup = open_cgroup(f"/moby-test-{uuid.uuid4().hex[:8]}/one")
    cgroup.create({"pids": {"limit": 7}})
    code = "import sys\nfor line in sys.stdin:\n  for i in range(4000000): pass\n  print(line, flush=True)"
    with subprocess.Popen([sys.executable, "-IS", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            cgroup.add(process.pid)
            first = sample(cgroup, process.pid, None, "/web", "ab" * 32)
            process.stdin.write(b"go\n")
            process.stdin.flush()
            process.stdout.readline()
            second = sample(cgroup, process.pid, first, "/web", "ab" * 32)
        finally:
            process.kill()
    cgroup.remove()
    assert first.preread == ZERO_TIME and second.preread == first.read and second.precpu_stats == first.cpu_stats
    assert 0 < second.cpu_percent() <= 100 * (os.cpu_count() or 1) * 1.5
    assert second.memory_stats.limit == host_memory() and second.memory_used() > 0
    assert second.pids_stats.current == 1 and second.pids_stats.limit == 7
    assert second.networks is None and decode(encode(second), Stats) == second


def test_the_hosts_time_runs() -> None:
    assert host_cpu_time() > 10**9
