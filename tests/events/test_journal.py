"""The journal: whole lines, one order, whatever happens to its writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.events.bus import Cursor
from moby_tui.engine.events.journal import Journal
from moby_tui.schema.event import Event

PUBLISHER = """
import sys
from moby_tui.engine.events.journal import Journal
journal = Journal(sys.argv[1], max_bytes=int(sys.argv[4]), max_segments=int(sys.argv[5]))
for number in range(int(sys.argv[3])):
    assert journal.publish("container", "start", sys.argv[2], {"n": str(number), "filler": "x" * 200})
"""


def publisher(directory: Path, name: str, count: int, max_bytes: int = 1 << 20, max_segments: int = 4) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(directory), name, str(count), str(max_bytes), str(max_segments)]
    )


def everything(directory: Path) -> list[Event]:
    cursor = Cursor(str(directory), since=0)
    try:
        return list(cursor.read())
    finally:
        cursor.close()


def newest(directory: Path) -> Path:
    return max(directory.iterdir())


def test_a_line_has_dockers_shape(tmp_path: Path) -> None:
    before = time.time_ns()
    assert Journal(str(tmp_path)).publish("container", "die", "c1", {"exitCode": "0", "name": 'a"\\\né'})
    event = json.loads(newest(tmp_path).read_bytes())
    assert event.pop("time") == event["timeNano"] // 10**9
    assert before <= event.pop("timeNano") <= time.time_ns()
    assert event == {
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": "c1", "Attributes": {"exitCode": "0", "name": 'a"\\\né'}},
        "scope": "local",
    }


def test_processes_publish_whole_lines_in_one_strict_order_across_segments(tmp_path: Path) -> None:
    publishers = [publisher(tmp_path, name, 300, 20_000, 1000) for name in "abcd"]
    assert [process.wait() for process in publishers] == [0, 0, 0, 0]
    events = everything(tmp_path)
    times = [event.time_nano for event in events]
    assert times == sorted(set(times))
    for name in "abcd":
        assert [event.actor.attributes["n"] for event in events if event.actor.id == name] == [str(n) for n in range(300)]
    assert len(list(tmp_path.iterdir())) > 10


def test_segments_are_bounded(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), max_bytes=2000, max_segments=3)
    for number in range(200):
        journal.publish("image", "pull", str(number), {})
    assert len(list(tmp_path.iterdir())) == 3
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    ids = [int(event.actor.id) for event in everything(tmp_path)]
    assert ids == list(range(ids[0], 200))


def test_what_is_too_old_is_dropped_and_what_may_be_young_stays(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), max_age=0.4, max_segments=4)
    journal.publish("image", "pull", "old", {})
    time.sleep(0.5)
    journal.publish("image", "pull", "middle", {})
    assert [event.actor.id for event in everything(tmp_path)] == ["old", "middle"]
    time.sleep(0.5)
    journal.publish("image", "pull", "new", {})
    assert [event.actor.id for event in everything(tmp_path)] == ["middle", "new"]


@pytest.mark.parametrize("torn", [b'{"Type":"contai', b'{"Type":"x","timeNano":', b"\0\0\0\0", b'{"a":"timeNano\\":5}', b"[]\n"])
def test_a_torn_line_is_skipped_and_the_next_is_whole(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(str(tmp_path))
    journal.publish("container", "create", "before", {})
    last = everything(tmp_path)[-1].time_nano
    with newest(tmp_path).open("ab") as file:
        file.write(torn)
    reader = Cursor(str(tmp_path), since=0)
    assert [event.actor.id for event in reader.read()] == ["before"]
    journal.publish("container", "create", "after", {})
    assert [event.actor.id for event in reader.read()] == ["after"]
    reader.close()
    assert [event.actor.id for event in everything(tmp_path)] == ["before", "after"]
    assert everything(tmp_path)[-1].time_nano > last


def test_time_goes_on_where_the_clock_goes_back(tmp_path: Path) -> None:
    ahead = time.time_ns() + 10**15
    for content in (b"", b'{"Type":"a","Action":"b","Actor":{"ID":"c"},"time":1,"timeNano":%d}\n' % (ahead + 5)):
        (tmp_path / f"{ahead:020d}.jsonl").write_bytes(content)
        Journal(str(tmp_path)).publish("container", "create", "x", {})
        assert everything(tmp_path)[-1].time_nano > ahead + (5 if content else 0)


def test_publishers_killed_in_the_middle_leave_only_whole_events(tmp_path: Path) -> None:
    for round_ in range(6):
        process = publisher(tmp_path, f"victim{round_}", 10**6, 50_000, 1000)
        while not any(event.actor.id == f"victim{round_}" for event in everything(tmp_path)):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert Journal(str(tmp_path), max_segments=1000).publish("container", "die", f"after{round_}", {})
    events = everything(tmp_path)
    for round_ in range(6):
        numbers = [int(event.actor.attributes["n"]) for event in events if event.actor.id == f"victim{round_}"]
        assert numbers == list(range(len(numbers)))
        assert sum(event.actor.id == f"after{round_}" for event in events) == 1


def test_a_full_disk_costs_the_event_and_nothing_else(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    try:
        journal = Journal(str(disk))
        published = [journal.publish("container", "create", str(number), {"filler": "x" * 900}) for number in range(40)]
        assert True in published and not published[-1]
        (disk / "x").unlink(missing_ok=True)
        assert [event.actor.id for event in everything(disk)] == [str(n) for n, ok in enumerate(published) if ok]
        subprocess.run(["mount", "-o", "remount,size=64k", str(disk)], check=True)
        assert journal.publish("container", "create", "again", {})
        assert everything(disk)[-1].actor.id == "again"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_directory_is_no_error(tmp_path: Path) -> None:
    assert not Journal(str(tmp_path / "absent")).publish("container", "create", "x", {})


def test_forked_children_publish_with_the_parents_journal(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.publish("container", "create", "parent", {})
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(100):
                journal.publish("container", "create", str(number), {})
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    times = [event.time_nano for event in everything(tmp_path)]
    assert len(times) == 401 and times == sorted(set(times))


def test_publishing_imports_only_what_a_monitor_may(tmp_path: Path) -> None:
    code = "import sys, moby_tui.engine.events.journal, moby_tui.engine.runtime.monitor.logs.destination, moby_tui.engine.store.locks\n"
    code += "print(sorted({'asyncio','msgspec','pathlib','dataclasses','datetime','sqlite3','logging'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@given(st.dictionaries(st.text(), st.text()))
def test_any_text_survives(attributes: dict[str, str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        Journal(directory).publish("container", "create", "x", attributes)
        Journal(directory).publish("container", "create", "y", {})
        first, second = everything(Path(directory))
        assert first.actor.attributes == attributes and second.time_nano > first.time_nano


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    journal = Journal(str(tmp_path), max_bytes=500)
    for _ in range(20):
        journal.publish("a", "b", "c", {})
    everything(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
