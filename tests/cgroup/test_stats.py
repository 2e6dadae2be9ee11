"""Samples in Docker's shape."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.containers.views.stats import Sampler
from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.runtime.client.stats import Machine, host_cpu_time, host_memory, parse_network, sample
from moby_tui.engine.store.state import State
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


def test_what_others_have_written_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file, reads = tmp_path / "state.json", []
    file.write_text("running")

    def current_state(record: object) -> State:
        reads.append(file.read_text())
        return State(status=reads[-1])

    places = SimpleNamespace(state=file, network=tmp_path / "network.json")
    parts: Any = SimpleNamespace(files=lambda record: places, current_state=current_state)
    sampler = Sampler(parts, cast("Any", SimpleNamespace()))
    # what was written just now may be written again without another time of change
    assert [sampler._current_state().status for _ in range(2)] == ["running"] * 2 and len(reads) == 2
    os.utime(file, ns=(0, 1_000_000_000))
    assert [sampler._current_state().status for _ in range(3)] == ["running"] * 3 and len(reads) == 3
    file.write_text("paused!")
    os.utime(file, ns=(0, 2_000_000_000))
    assert [sampler._current_state().status for _ in range(3)] == ["paused!"] * 3 and len(reads) == 4
    file.unlink()
    file.write_text("exited")
    assert sampler._current_state().status == "exited"


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


def test_the_machine_is_read_once_for_the_samples_of_a_tick() -> None:
    seconds = [100.0]
    machine = Machine(lambda: seconds[0])
    first = machine.now()
    assert machine.now() is first and first.cpus == os.cpu_count() and first.cpu_time > 10**9
    seconds[0] += 0.011
    assert machine.now() is not first and machine.now().cpu_time >= first.cpu_time
