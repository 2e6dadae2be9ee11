"""A connection to the engine of another machine, through ssh(1): it logs in and runs ``system dial-stdio`` there."""

from __future__ import annotations

import asyncio
import atexit
import os
import shlex
import socket
import subprocess
import threading

from moby_tui.api.client.address import Address
from moby_tui.errors import Unavailable

#: Seconds that ssh itself gives the other machine (``ConnectTimeout``), as docker's command line does.
_CONNECT_SECONDS = 30
#: Of what ssh says, so many characters are told.
_MOST_TEXT = 500


def command(address: Address) -> list[str]:
    """What is executed here. Over there it is `moby` that answers, and `docker` if there is no moby."""
    words = ["--host", f"unix://{address.path}"] if address.path else []
    script = 'exec "$(command -v moby || echo docker)" ' + shlex.join([*words, "system", "dial-stdio"])
    user = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [
        "ssh",
        "-o",
        f"ConnectTimeout={_CONNECT_SECONDS}",
        "-T",
        *user,
        *port,
        "--",
        address.host,
        f"sh -c {shlex.quote(script)}",
    ]


class SshConnection(asyncio.StreamReaderProtocol):
    """The running ssh, whose standard input and output are one socket. It is ended once the socket's other end is closed here."""

    def __init__(self, reader: asyncio.StreamReader, process: subprocess.Popen[bytes], errors: int) -> None:
        super().__init__(reader)
        self._process, self._errors = process, errors
        atexit.register(process.terminate)
        # reaps it whenever it ends, also when nobody asks any more
        threading.Thread(target=process.wait, daemon=True).start()

    @classmethod
    async def open(cls, address: Address, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, SshConnection]:
        """Raises ``Unavailable`` without an ssh(1). Whether it gets through shows in what is read: see ``errors``."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limit)
        process, ours, errors = _execute(address)
        connection = cls(reader, process, errors)
        transport, _ = await loop.create_connection(lambda: connection, sock=ours)
        return reader, asyncio.StreamWriter(transport, connection, reader, loop), connection

    def errors(self) -> str:
        """What ssh, or the program that it ran, has written on standard error, in one line."""
        return " ".join(os.pread(self._errors, 1 << 16, 0).decode(errors="replace").split())[-_MOST_TEXT:]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        atexit.unregister(self._process.terminate)
        self._process.terminate()

    def __del__(self) -> None:
        os.close(self._errors)
        super().__del__()


def _execute(address: Address) -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """In a session of its own: ctrl-c at our terminal is for the container, not for ssh."""
    errors = os.memfd_create("ssh-errors", os.MFD_CLOEXEC)
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                command(address), stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors, start_new_session=True
            )
        except OSError as error:
            ours.close()
            os.close(errors)
            raise Unavailable(f"cannot run ssh to reach {address}: {error.strerror}") from None
    return process, ours, errors
