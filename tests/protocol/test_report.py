"""What a process that is being made reports, as its parent reads it: whole, in pieces, truncated, and made up by somebody else."""

from __future__ import annotations

import errno
import os
import signal
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.report import Failed, Made, Report
from moby_tui.engine.runtime.birth.awaiting import Awaited

FAILED = Failed(errno.ENOENT, "change directory")
MESSAGES = st.one_of(
    st.integers(1, 2**31 - 1).map(Made),
    st.builds(Failed, st.integers(0, 2**32 - 1), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)),
)


def read(*pieces: bytes) -> tuple[int, Failed | None]:
    report = Report()
    for piece in pieces:
        report.feed(piece)
    report.finish()
    return report.pid, report.failure


@pytest.mark.parametrize(
    ("messages", "pid", "failure"),
    [
        ([], 0, None),
        ([Made(4711)], 4711, None),
        ([Made(4711), FAILED], 4711, FAILED),
        # a pid that is missed here is a process that nobody reaps, and a container that never ends
        ([FAILED, Made(4711)], 4711, FAILED),
        ([FAILED], 0, FAILED),
        ([FAILED, Failed(0, "later")], 0, FAILED),
    ],
)
def test_the_pid_is_found_wherever_it_was_written(messages: list[Made | Failed], pid: int, failure: Failed | None) -> None:
    whole = b"".join(message.encode() for message in messages)
    assert read(whole) == (pid, failure)
    assert read(*(whole[at : at + 1] for at in range(len(whole)))) == (pid, failure)


def test_what_is_said_at_length_stays_in_one_piece() -> None:
    told = Failed(0, "x\0" * 5000).encode()
    pid, failure = read(told, Made(4711).encode())
    assert failure is not None and len(told) < 4096
    assert pid == 4711 and failure.error == 0 and failure.step.startswith("x?x?")


@given(st.lists(MESSAGES, max_size=2), st.binary(max_size=12), st.integers(0, 60))
def test_any_bytes_are_read_or_refused(messages: list[Made | Failed], noise: bytes, cut: int) -> None:
    data = (b"".join(message.encode() for message in messages) + noise)[: cut or None]
    try:
        pid, _ = read(data)
    except MalformedMessage as error:
        assert str(error).startswith("report of the process: ") and "\n" not in str(error)
    else:
        assert 0 <= pid < 2**31


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x01", "ends in the middle"),
        (FAILED.encode()[:-1], "ends in the middle"),
        (struct.pack("<i", -1), "expected the pid of one process, got -1"),
        (Made(1).encode() + Made(2).encode(), "expected the pid of one process, got 2"),
        (bytes(8) + b"x" * 10_000, "longer than"),
    ],
)
def test_what_is_no_report_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(MalformedMessage, match=text):
        read(data)


def test_a_pid_of_no_child_is_refused() -> None:
    """A traced process in a container may have been made to report the pid of any process of the host."""
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        assert _await(Made(child)) == child
        with pytest.raises(MalformedMessage, match=f"{os.getppid()} is no process that was made here"):
            _await(Made(os.getppid()))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _await(message: Made) -> int:
    reader, writer = os.pipe()
    os.write(writer, message.encode())
    os.close(writer)
    try:
        return Awaited(reader, lambda: None).pid()
    finally:
        os.close(reader)
