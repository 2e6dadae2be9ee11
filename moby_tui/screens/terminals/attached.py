"""The first process of a container on a terminal: one that runs already, or one of a container made for the occasion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from moby_tui.errors import MobyError, NotFound
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig
from moby_tui.schema.stream import Stream
from moby_tui.screens import text
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.logins import login_for
from moby_tui.screens.session.session import Session
from moby_tui.screens.terminals.program import Say, ended, words
from moby_tui.screens.terminals.shell import ENVIRONMENT

#: Images that have tools and a shell, the first of which that is there a debug shell is offered with.
TOOLS = ("nicolaka/netshoot", "busybox", "alpine", "debian", "ubuntu")
#: Where a container that shares the processes of another has its files (proc(5), /proc/pid/root).
TARGET_ROOT = "/proc/1/root"
#: Changes to the files of the target and becomes a shell. Its folder is outside of its own root, so that only PWD names it.
_DEBUG = f"cd {TARGET_ROOT} || cd /; export PWD; if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh"


class Attached:
    """A ``Program``: a running container's own input and output. Closing it leaves the container running."""

    closes = False

    def __init__(self, session: Session, container: Container) -> None:
        self._session = session
        self._container = container
        self.title = f"{container.name} (attached)"
        self.command = f"moby attach {container.name}"
        self._joined: _Joined | None = None

    async def open(self, rows: int, columns: int, say: Say) -> None:
        containers = self._session.client.containers
        container = await containers.inspect(self._container.id)
        if not container.config.open_stdin:
            say("the container was made without -i: it takes no input, keys do nothing here")
        stream = await containers.attach(self._container.id, AttachOptions(stdin=container.config.open_stdin))
        self._joined = _Joined(stream, raw=container.config.tty)
        if container.config.tty:
            await self.resize(rows, columns)

    async def read(self) -> bytes:
        return await self._joined.read() if self._joined else b""

    async def write(self, data: bytes) -> None:
        if self._joined:
            await self._joined.stream.write(data)

    async def resize(self, rows: int, columns: int) -> None:
        if self._joined and self._joined.raw:
            await self._session.client.containers.resize(self._container.id, height=rows, width=columns)

    async def ending(self) -> str:
        state = (await self._session.client.containers.inspect(self._container.id)).state
        if state.running:
            return "the engine has ended the attachment; the container runs on"
        return ended("the container", state.exit_code)

    def close(self) -> None:
        if self._joined:
            self._joined.stream.close()

    def again(self) -> Attached:
        return Attached(self._session, self._container)


@dataclass(frozen=True, slots=True)
class RunChoice:
    """``command`` is written as in a shell, empty for the image's own. ``keep``: the container stays when it has ended."""

    image: str
    command: str = ""
    name: str = ""
    keep: bool = False


class Run:
    """A ``Program``: a new container of an image, on a terminal. Closing it stops following; the container runs on."""

    closes = False

    def __init__(self, session: Session, choice: RunChoice) -> None:
        self._session = session
        self._choice = choice
        self.title = text.clean(choice.name or choice.image)
        parts = ["moby run -it", *([] if choice.keep else ["--rm"]), *([f"--name {choice.name}"] if choice.name else [])]
        self.command = " ".join([*parts, choice.image, choice.command]).rstrip()
        self._container = ""
        self._joined: _Joined | None = None
        self._code: int | None = None

    def configuration(self) -> ContainerCreate:
        """The container that is made. Raises ``InvalidArgument``."""
        config = ContainerCreate(
            image=self._choice.image,
            cmd=words(self._choice.command) or None,
            env=[*ENVIRONMENT],
            host_config=HostConfig(auto_remove=not self._choice.keep),
        )
        return _on_a_terminal(config)

    async def open(self, rows: int, columns: int, say: Say) -> None:
        """Fetches the image if it is not here, makes the container, joins it and starts it."""
        containers = self._session.client.containers
        config = self.configuration()
        config.host_config.console_size = [rows, columns]
        await _fetch(self._session, config.image, say)
        self._container = (await containers.create(config, name=self._choice.name)).id
        self._joined = _Joined(await containers.attach(self._container, AttachOptions(stdin=True)), raw=True)
        self._waiting = await containers.wait(self._container, condition="next-exit")
        try:
            await containers.start(self._container)
        except BaseException:
            await self._waiting.close()
            self._joined.stream.close()
            await self._discard()
            raise
        await self._settle_size(rows, columns)

    async def _discard(self) -> None:
        """Removes a container that could not start."""
        try:
            await self._session.client.containers.remove(self._container, force=True)
        except MobyError:
            return

    async def _settle_size(self, rows: int, columns: int) -> None:
        """Gives the terminal its size; a program that has ended already needs none."""
        try:
            await self.resize(rows, columns)
        except MobyError:
            return

    async def read(self) -> bytes:
        return await self._joined.read() if self._joined else b""

    async def write(self, data: bytes) -> None:
        if self._joined:
            await self._joined.stream.write(data)

    async def resize(self, rows: int, columns: int) -> None:
        if self._container:
            await self._session.client.containers.resize(self._container, height=rows, width=columns)

    async def ending(self) -> str:
        try:
            result = await self._waiting.result()
        finally:
            await self._waiting.close()
        return ended("the container", result.status_code)

    def close(self) -> None:
        if self._joined:
            self._joined.stream.close()

    def again(self) -> Run:
        return Run(self._session, self._choice)


@dataclass(frozen=True, slots=True)
class DebugChoice:
    """``command`` is written as in a shell, empty for a shell among the target's files."""

    image: str
    command: str = ""
    user: str = ""


class Debug(Run):
    """A ``Program``: a shell of a tool image beside a container, whose processes, network and files it sees.

    A new container of the tool image, its own root read-only, joins the pid and network namespaces of the target; the target's files
    are at ``/proc/1/root``, since its first process is the first one there. It is removed when the shell ends.
    """

    closes = True

    def __init__(self, session: Session, target: Container, choice: DebugChoice) -> None:
        super().__init__(session, RunChoice(choice.image, choice.command))
        self._target = target
        self._debug = choice
        self.title = f"{target.name} (debug)"
        shared = f"--pid container:{target.name} --network container:{target.name} --cap-add SYS_PTRACE --read-only"
        self.command = f"moby run -it --rm {shared} {choice.image} {choice.command or 'sh'}"

    def configuration(self) -> ContainerCreate:
        shared = f"container:{self._target.id}"
        config = ContainerCreate(
            image=self._debug.image,
            entrypoint=words(self._debug.command) or ["sh", "-c", _DEBUG],
            user=self._debug.user or "0",
            env=[*ENVIRONMENT, f"TARGET={TARGET_ROOT}", "PS1=$PWD # "],
            labels={"moby.debugs": self._target.id},
            host_config=HostConfig(
                auto_remove=True,
                pid_mode=shared,
                network_mode=shared,
                # what /proc/PID/root of another user's process, or of one with more capabilities, takes (ptrace(2))
                cap_add=["SYS_PTRACE"],
                readonly_rootfs=True,
                tmpfs={"/tmp": ""},
            ),
        )
        return _on_a_terminal(config)

    async def open(self, rows: int, columns: int, say: Say) -> None:
        say(f"a container of {self._debug.image}, read-only, that shares the processes and the network of {self._target.name};")
        say(f"the files of {self._target.name} are at {TARGET_ROOT}; it is removed when the shell ends")
        await super().open(rows, columns, say)

    def again(self) -> Debug:
        return Debug(self._session, self._target, self._debug)


def _on_a_terminal(config: ContainerCreate) -> ContainerCreate:
    """The configuration with a terminal, and an input that ends with the one who is attached."""
    config.tty = config.open_stdin = config.stdin_once = True
    config.attach_stdin = config.attach_stdout = config.attach_stderr = True
    return config


class _Joined:
    """An attachment's output as a terminal takes it. ``raw`` if the container has a terminal; else its newlines get a return."""

    def __init__(self, stream: Stream, *, raw: bool) -> None:
        self.stream, self.raw = stream, raw
        self._pieces: AsyncIterator[tuple[int, bytes]] = stream.output()

    async def read(self) -> bytes:
        if self.raw:
            return await self.stream.read_raw(16384)
        async for _, data in self._pieces:
            if data:
                return data.replace(b"\n", b"\r\n")
        return b""


async def _fetch(session: Session, image: str, say: Say) -> None:
    """Pulls an image that is not here, and says so."""
    try:
        await session.client.images.inspect(image)
        return
    except NotFound:
        say(f"{text.clean(image)} is not here: it is pulled")
    async for step in session.client.images.pull(image, auth=await login_for(image)):
        if step.status and not step.progress_detail:
            say(text.clean(f"{step.id}: {step.status}" if step.id else step.status))
