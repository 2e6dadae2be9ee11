"""SSH agents for ``RUN --mount=type=ssh``: relays a step's requests to the caller's agent, or to a new one with the caller's keys.

The agent protocol is draft-ietf-sshm-ssh-agent: a length of four bytes, a kind of one, and the rest. A step may list keys and have things
signed; it may neither add, remove nor lock them.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from moby_tui.engine.kernel import unix_socket
from moby_tui.errors import InvalidArgument, MobyError

_FAILURE = b"\0\0\0\1\5"
#: SSH_AGENTC_REQUEST_IDENTITIES, SSH_AGENTC_SIGN_REQUEST, SSH_AGENTC_EXTENSION
_ALLOWED = (11, 13, 27)
#: The largest message, as in OpenSSH.
_LONGEST = 256 * 1024
#: Connections of a step at a time.
_MOST = 64
#: How long ssh-agent may take to make its socket.
_PATIENCE = 15.0


@asynccontextmanager
async def opened(places: Sequence[str], folder: Path) -> AsyncIterator[str]:
    """The socket of an agent: the named socket, or that of a new agent with the named keys, which ends with the block.

    Only root reads ``folder``. Raises ``InvalidArgument`` for a path that is neither, ``MobyError`` without OpenSSH.
    """
    if len(places) == 1 and _is_socket(places[0]):
        yield places[0]
        return
    keys = [_key(place) for place in places]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / f"agent-{os.urandom(4).hex()}"
    agent = await _openssh("ssh-agent", "-D", "-a", str(place))
    try:
        await _until_there(place, agent)
        for name, key in zip(places, keys, strict=True):
            await _add(name, key, place)
        yield str(place)
    finally:
        with suppress(ProcessLookupError):
            agent.terminate()
        await asyncio.shield(agent.wait())
        place.unlink(missing_ok=True)


@asynccontextmanager
async def forwarded(agent: str, folder: Path, mode: int, owner: tuple[int, int]) -> AsyncIterator[Path]:
    """A socket that passes allowed requests on to an agent, until the end of the block."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / f"ssh-{os.urandom(4).hex()}"
    tasks = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(tasks) >= _MOST:
            writer.close()
            return
        tasks.add(task)
        try:
            await _relay(agent, reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(serve, sock=unix_socket.listen(str(place)))
    try:
        os.chown(place, *owner)
        place.chmod(mode)
        yield place
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        place.unlink(missing_ok=True)


async def _relay(agent: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes one request and one answer at a time, until a side closes."""
    with suppress(OSError, asyncio.IncompleteReadError):
        there_reader, there_writer = await asyncio.open_unix_connection(sock=unix_socket.connect(agent, 0.0))
        try:
            while True:
                question = await _message(reader)
                if question is None:
                    return
                answer: bytes | None = _FAILURE
                if question[4] in _ALLOWED:
                    there_writer.write(question)
                    await there_writer.drain()
                    answer = await _message(there_reader)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        finally:
            there_writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes | None:
    """Reads one message; None for a malformed one or the end."""
    length = await reader.readexactly(4)
    size = int.from_bytes(length, "big")
    return length + await reader.readexactly(size) if 0 < size <= _LONGEST else None


def _is_socket(place: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(place).st_mode)
    except OSError as error:
        raise InvalidArgument(f"--ssh: {place[:200]}: {(error.strerror or '').lower()}") from error


def _key(place: str) -> bytes:
    try:
        with open(place, "rb") as file:
            return file.read(_LONGEST)
    except OSError as error:
        raise InvalidArgument(f"--ssh: {place[:200]}: {(error.strerror or '').lower()}") from error


async def _add(name: str, key: bytes, agent: Path) -> None:
    adding = await _openssh("ssh-add", "-q", "-", agent=str(agent))
    _, errors = await adding.communicate(key)
    if adding.returncode:
        reason = (errors.decode("utf-8", "replace").strip().splitlines() or ["it is no private key"])[-1]
        raise InvalidArgument(
            f"--ssh: the key {name[:200]} cannot be used ({reason[:200]}); one with a passphrase wants an agent: ssh-add it"
        )


async def _openssh(program: str, *arguments: str, agent: str = "") -> asyncio.subprocess.Process:
    """Runs a program of OpenSSH, without a prompt for passphrases."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "SSH_AUTH_SOCK": agent, "SSH_ASKPASS_REQUIRE": "never"}
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.PIPE if agent else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE if agent else asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise MobyError(f"{program} is not installed: install OpenSSH's client, or give the socket of a running agent") from None


async def _until_there(place: Path, agent: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE
    while not await _listens(place):
        if agent.returncode is not None or loop.time() > until:
            raise MobyError("ssh-agent does not start; give the socket of a running agent")
        await asyncio.sleep(0.01)


async def _listens(place: Path) -> bool:
    """True when the agent accepts connections: its socket's file appears a moment earlier."""
    try:
        _, writer = await asyncio.open_unix_connection(sock=unix_socket.connect(str(place), 0.0))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True
