"""Files that a monitor writes for all engines: what is damaged in them is seen, and what is not is read as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from moby_tui.engine.protocol.execution import ExecutionState
from moby_tui.engine.protocol.health import HealthReport, ProbeResult
from moby_tui.engine.protocol.message import MalformedMessage, Message
from moby_tui.engine.protocol.network import NameRegistration, ZoneEntry
from moby_tui.engine.store.state import DAMAGED, State, now
from protocol.messages import spoiled

_STATE = State(status="running", pid=7, monitor=6, boot="b", started_at=now())
_MESSAGES: list[Message] = [
    ExecutionState(running=True, pid=3),
    HealthReport(log=[ProbeResult(start="s", end="e", exit_code=1, output="o")]),
    NameRegistration(container="c", servers=["192.0.2.1"], forwards=True),
    ZoneEntry(network="n", names=["web"], addresses=["192.0.2.2"]),
]


@pytest.mark.parametrize("message", _MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_or_refused(message: Message) -> None:
    assert type(message).decode(message.encode()) == message

    @settings(max_examples=50)
    @given(spoiled(message.values()))
    def read(values: object) -> None:
        try:
            found = type(message).from_values(values)
        except MalformedMessage as error:
            assert "\n" not in str(error)
            return
        assert type(message).decode(found.encode()) == found

    read()


def test_what_earlier_versions_wrote_is_read() -> None:
    values = {"running": True, "pid": 3, "exit_code": None}
    assert ExecutionState.from_values(values) == ExecutionState(running=True, pid=3)
    assert ExecutionState(running=True, pid=3).values() == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=spoiled(_STATE.values()))
def test_a_state_is_read_or_told_to_be_damaged(tmp_path: Path, values: object) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps(values))
    assert State.read(str(path)).status in (DAMAGED, "running")


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "state.json")
    assert State.read(path) == State()
    _STATE.write(path)
    assert State.read(path) == _STATE
    written = json.loads(Path(path).read_bytes())
    assert [*written] == ["stamp", *_STATE.values(), "stamp_again"]
    # one that was being written over while it was read, for as long as anybody looks
    Path(path).write_text(json.dumps({**written, "stamp_again": 0}))
    assert State.read(path).status == DAMAGED
