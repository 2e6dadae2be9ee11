"""What a container's monitor is asked over its control socket, and what it answers.

One line of JSON asks, one line answers; behind the answer to ``attach`` and ``exec`` comes the stream. ``op`` names the operation.
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import Json, MalformedMessage, Message, decode_json

_OPERATION = "op"
_BYTE = range(256)


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
    and columns."""

    OPERATION = "exec"

    id: str
    process: Json
    tty: bool = False
    detach: bool = False
    size: list[int] | None = None

    def check(self, where: str) -> None:
        super().check(where)
        if not self.id or "/" in self.id or "\0" in self.id:
            raise MalformedMessage(f"{where}: id: expected a name without a slash")
        if self.size is not None and len(self.size) != 2:
            raise MalformedMessage(f"{where}: size: expected rows and columns")
        arguments = self.process.get("args")
        if not isinstance(arguments, list) or not arguments:
            raise MalformedMessage(f"{where}: process: args is missing")
        if not isinstance(self.process.get("user"), dict):
            raise MalformedMessage(f"{where}: process: user is missing")


class Resize(Request):
    """Another size of the terminal, of the container's or of an exec's."""

    OPERATION = "resize"

    height: int
    width: int
    exec: str | None = None


class Signal(Request):
    """A signal for the first process. ``stop`` says what it is for: ``hand`` or ``shutdown`` end the container for good, the first for
    whoever boots too."""

    OPERATION = "signal"
    WHILE_RESTARTING = True

    signal: int
    stop: str | None = None


class Freeze(Request):
    """Pauses the container."""

    OPERATION = "freeze"


class Thaw(Request):
    """Ends a pause."""

    OPERATION = "thaw"


class ChangePolicy(Request):
    """Another restart policy; ``root`` is the recipe of the root mount for the restarts to come."""

    OPERATION = "policy"
    WHILE_RESTARTING = True

    policy: str
    maximum: int = 0
    root: object = None


class Update(Request):
    """Other limits: the sections of the OCI ``linux.resources`` that change."""

    OPERATION = "update"

    resources: Json


_REQUESTS: dict[str, type[Request]] = {
    request.OPERATION: request for request in (Attach, Execute, Resize, Signal, Freeze, Thaw, ChangePolicy, Update)
}


def read_request(data: bytes) -> Request:
    """The request in a line of JSON. Raises ``MalformedMessage``, also for an operation that this version does not have."""
    values = decode_json(data, "request")
    if not isinstance(values, dict):
        raise MalformedMessage("request: expected an object")
    name = values.get(_OPERATION)
    request = _REQUESTS.get(name) if isinstance(name, str) else None
    if request is None:
        raise MalformedMessage(f"unknown request {name!r:.80}")
    return request.read(values, f"request {name}")


class Answer(Message):
    """What a monitor, or a launcher, answers: granted, with the ``pid`` of a process that was started; or refused, with the kind of the
    ``error`` (``not_found``, ``not_invocable``, ``conflict``, ``failed``) and a ``message`` for people."""

    ok: bool = True
    pid: int | None = None
    error: str | None = None
    message: str | None = None

    @classmethod
    def refusing(cls, kind: str, message: str) -> Answer:
        return cls(ok=False, error=kind, message=message)
