"""What a child reports of a start that failed, as its parent reads it."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from moby_tui.engine.runtime.birth.failure import read_report
from moby_tui.engine.runtime.plan.program import tell_failure

FAILED = bytes(4) + struct.pack("<I", errno.ENOENT) + b"change directory"
PID = struct.pack("<I", 4711)


@pytest.mark.parametrize(
    ("pieces", "pid", "failure"),
    [
        ([], 0, b""),
        ([PID], 4711, b""),
        ([PID, FAILED + b"\0"], 4711, FAILED),
        # a pid that is missed here is a process that nobody reaps, and a container that never ends
        ([FAILED + b"\0", PID], 4711, FAILED),
        ([FAILED + b"\0"], 0, FAILED),
        ([FAILED], 0, FAILED),
    ],
)
def test_the_pid_is_found_wherever_it_was_written(pieces: list[bytes], pid: int, failure: bytes) -> None:
    reader, writer = os.pipe()
    for piece in pieces:
        os.write(writer, piece)
    os.close(writer)
    try:
        assert read_report(reader) == (pid, failure)
    finally:
        os.close(reader)


def test_what_is_said_at_length_stays_in_one_piece() -> None:
    reader, writer = os.pipe()
    tell_failure(writer, "x\0" * 5000)
    os.write(writer, PID)
    os.close(writer)
    pid, failure = read_report(reader)
    os.close(reader)
    assert pid == 4711 and failure.startswith(bytes(8) + b"x?x?") and len(failure) < 4096
