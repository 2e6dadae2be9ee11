"""What an unpacker is asked that is no request: the child says so in one line, and the next layer is unpacked."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moby_tui.engine.protocol.unpacking import UnpackRequest, UnpackResult
from moby_tui.engine.resources.images.unpack import unpacker as program
from moby_tui.engine.resources.images.unpack import workers
from moby_tui.errors import MobyError, NotFound
from protocol.messages import JSON, spoiled

_settings = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def unpacker(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of an unpacker, which must still unpack a layer when the test has ended."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        fd = theirs.fileno()
        process = subprocess.Popen([sys.executable, "-P", "-m", program.__name__, str(fd)], pass_fds=[fd])
    with ours:
        yield ours
        blob, layer = tmp_path / "blob", tmp_path / "layer"
        with tarfile.open(blob, "w") as archive:
            archive.addfile(tarfile.TarInfo("a file"))
        content = blob.read_bytes()
        diff_id = f"sha256:{sha256(content).hexdigest()}"
        request = UnpackRequest(diff_id=diff_id, layer=str(layer), size=len(content))
        assert _ask(ours, request.encode(), blob) == UnpackResult(diff_id=diff_id)
    # it ends with the socket
    assert process.wait(60) == 0


def _ask(unpacker: socket.socket, message: bytes, blob: Path) -> UnpackResult:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, open(blob, "rb") as file:
        with theirs:
            socket.send_fds(unpacker, [message], [file.fileno(), file.fileno(), theirs.fileno()])
        with suppress(BrokenPipeError):
            # it may have answered already
            ours.send(program.COUNT.pack(os.fstat(file.fileno()).st_size))
        ours.settimeout(60)
        while True:
            # the kernel says once that what we sent was left unread (unix(7)), before what was sent to us
            with suppress(ConnectionResetError):
                if len(answer := ours.recv(65536)) != program.COUNT.size:
                    return UnpackResult.decode(answer)


def test_no_message_ends_an_unpacker(unpacker: socket.socket, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    unpacker.send(b"no descriptors go along")
    whole = UnpackRequest(diff_id="sha256:0", layer=str(tmp_path / "nowhere"), size=0).values()

    @_settings
    @given(spoiled(whole).map(lambda value: json.dumps(value).encode()) | st.binary(min_size=1, max_size=100))
    def throw(message: bytes) -> None:
        result = _ask(unpacker, message, empty)
        assert result.error == "MobyError"
        assert result.text.startswith("request to the unpacker: ") and "\n" not in result.text

    throw()
    assert "a later moby" in _ask(unpacker, json.dumps({**whole, "version": 2}).encode(), empty).text


async def test_a_child_that_ends_with_what_it_was_told_unread_is_heard() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.setblocking(False)
        job = workers.Job(ours)
        with theirs:
            job.tell(1)
            theirs.send(UnpackResult(errno=errno.ENOSPC, text="no space").encode())
        with pytest.raises(OSError, match="no space"):
            await job.result(lambda: 1, lambda used: None)


def test_an_answer_that_is_none_is_one_line() -> None:
    @given(JSON)
    def read(values: object) -> None:
        try:
            workers._diff_id(json.dumps(values).encode())
        except (MobyError, OSError) as error:
            assert "\n" not in str(error)

    read()
    for error, expected in (("NotFound", NotFound), ("annotations", MobyError), ("Nonsense", MobyError)):
        with pytest.raises(expected, match="text"):
            workers._diff_id(UnpackResult(error=error, text="text").encode())
