"""What a container's monitor is asked over its control socket, and what it answers.

One line of JSON asks, one line answers; behind the answer to ``attach`` and ``exec`` comes the stream. ``op`` names the operation.
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import Json, MalformedMessage, Message, decode_json
from moby_tui.engine.protocol.network import Forward, NameService, TeardownStep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.protocol.configuration import Process, Resources

_CONFIGURATION = "moby_tui.engine.protocol.configuration"

_OPERATION = "op"
_BYTE = range(256)
#: 0 only asks whether the process is there (kill(2)); the last one is SIGRTMAX.
_SIGNALS = range(65)
#: What a terminal's rows and columns may be (ioctl_tty(2), struct winsize).
_CELLS = range(1 << 16)
#: What a user or group id may be; the last one means none (credentials(7)).
_IDS = range((1 << 32) - 1)
_MOST_DESCRIPTORS = 250


class Request(Message):
    """What is asked of a monitor. ``OPERATION`` is the value of ``op``; ``WHILE_RESTARTING`` says whether a container that waits for its
    restart can be asked this."""

    OPERATION = ""
    WHILE_RESTARTING = False

    def values(self) -> Json:
        return {_OPERATION: self.OPERATION, **super().values()}


class StreamRequest(Request):
    """Which streams a client joins; ``keys`` are the bytes that detach it."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    keys: list[int] = []

    def check(self, where: str) -> None:
        if any(key not in _BYTE for key in self.keys):
            raise MalformedMessage(f"{where}: keys: expected bytes")


class Attach(StreamRequest):
    """Joins the streams of the container's first process."""

    OPERATION = "attach"


class Execute(StreamRequest):
    """Starts one more process. ``id`` names its record, ``process`` is that of the OCI configuration, ``size`` is its terminal's, in rows
    and columns. ``raw``: the stream has no frames; where nothing is said, that is so with a terminal alone."""

    OPERATION = "exec"
    ELSEWHERE = {"Process": _CONFIGURATION}

    id: str
    process: Process
    tty: bool = False
    raw: bool | None = None
    detach: bool = False
    size: list[int] | None = None

    def check(self, where: str) -> None:
        super().check(where)
        if not self.id or "/" in self.id or "\0" in self.id:
            raise MalformedMessage(f"{where}: id: expected a name without a slash")
        if self.size is not None and (len(self.size) != 2 or any(cells not in _CELLS for cells in self.size)):
            raise MalformedMessage(f"{where}: size: expected rows and columns")
        check_process(self.process, f"{where}: process")


class Resize(Request):
    """Another size of the terminal, of the container's or of an exec's."""

    OPERATION = "resize"

    height: int
    width: int
    exec: str | None = None

    def check(self, where: str) -> None:
        if self.height not in _CELLS or self.width not in _CELLS:
            raise MalformedMessage(f"{where}: expected a height and a width from 0 to {_CELLS[-1]}")


class Signal(Request):
    """A signal for the first process. ``stop`` says what it is for: ``hand`` or ``shutdown`` end the container for good, the first for
    whoever boots too; behind ``again`` it is started anew, whatever its policy; None and ``""`` say nothing of that."""

    OPERATION = "signal"
    WHILE_RESTARTING = True

    signal: int
    stop: str | None = None

    def check(self, where: str) -> None:
        if self.signal not in _SIGNALS:
            raise MalformedMessage(f"{where}: there is no signal {self.signal}")
        if self.stop not in (None, "", "hand", "shutdown", "again"):
            raise MalformedMessage(f"{where}: stop: expected hand, shutdown or again")


class Freeze(Request):
    """Pauses the container."""

    OPERATION = "freeze"


class Thaw(Request):
    """Ends a pause."""

    OPERATION = "thaw"


class ChangePolicy(Request):
    """Another restart policy. The restarts so far still count."""

    OPERATION = "policy"
    WHILE_RESTARTING = True

    policy: str
    maximum: int = 0


class Update(Request):
    """Other limits: the sections that change."""

    OPERATION = "update"
    ELSEWHERE = {"Resources": _CONFIGURATION}

    resources: Resources


class Rename(Request):
    """Another name of the container, which its events carry from then on."""

    OPERATION = "rename"
    WHILE_RESTARTING = True

    name: str


class Adopt(Request):
    """Takes over what was made of the container's network. The monitor grants it; then its ``count`` descriptors follow, and one more
    answer."""

    OPERATION = "adopt"
    WHILE_RESTARTING = True

    name: str
    teardown: list[TeardownStep]
    count: int
    forwards: list[Forward] = []

    def check(self, where: str) -> None:
        if not 0 < self.count <= _MOST_DESCRIPTORS:
            raise MalformedMessage(f"{where}: count: expected 1 to {_MOST_DESCRIPTORS}")


class Release(Request):
    """Undoes what the monitor holds of the container's network under this name."""

    OPERATION = "release"
    WHILE_RESTARTING = True

    name: str


class ServeNames(Request):
    """Has the container's questions for names answered from now on. The monitor grants it; then two sockets follow, and one more answer."""

    OPERATION = "names"
    WHILE_RESTARTING = True
    SOCKETS = 2

    names: NameService


_ALL = (Attach, Execute, Resize, Signal, Freeze, Thaw, ChangePolicy, Update, Rename, Adopt, Release, ServeNames)
_REQUESTS: dict[str, type[Request]] = {request.OPERATION: request for request in _ALL}


def read_request(data: bytes) -> Request:
    """The request in a line of JSON. Raises ``MalformedMessage``, also for an operation that this version does not have."""
    values = decode_json(data, "request")
    if not isinstance(values, dict):
        raise MalformedMessage("request: expected an object")
    name = values.get(_OPERATION)
    request = _REQUESTS.get(name) if isinstance(name, str) else None
    if request is None:
        raise MalformedMessage(f"unknown request {name!r:.80}")
    return request.from_values(values, f"request {name}")


def check_process(process: Process, where: str) -> None:
    """Raises ``MalformedMessage`` if a process says not what it runs, or as whom."""
    if not process.args:
        raise MalformedMessage(f"{where}: args is missing")
    user = process.user
    if any(number not in _IDS for number in (user.uid, user.gid, *user.groups)):
        raise MalformedMessage(f"{where}: user: expected uid, gid and additionalGids from 0 to {_IDS[-1]}")


class Answer(Message):
    """What a monitor, or a launcher, answers: granted, with the ``pid`` of a process that was started; or refused, with the kind of the
    ``error`` (``not_found``, ``not_invocable``, ``missing``, ``invalid``, ``conflict``, ``late``, ``failed``) and a ``message`` for people.
    """

    ok: bool = True
    pid: int | None = None
    error: str | None = None
    message: str | None = None

    def check(self, where: str) -> None:
        if self.error is not None and self.message is None:
            raise MalformedMessage(f"{where}: message is missing")

    @classmethod
    def refusing(cls, kind: str, message: str) -> Answer:
        return cls(ok=False, error=kind, message=message)
