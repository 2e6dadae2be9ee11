"""The errors a caller can meet.

Each kind carries the HTTP status the API answers with and the exit code the command line ends with, so that both
doors say the same thing. The text is one line, begins in lower case as the Docker Engine's do, and says what to do next.
"""

from __future__ import annotations


class MobyError(Exception):
    """Something failed inside the engine; the text is fit to show a person."""

    status = 500
    exit_code = 1
    #: of the Dockerfile, where it is about one: the first line and the last (0: the same) of the instruction
    line = 0
    end = 0
    #: the same in BuildKit's words, where its clients look for them; empty: the message
    buildkit = ""
    #: an engine elsewhere has answered with it
    answered = False
    #: the command whose help the command line names with it, under the name docker
    help_of = ""
    #: that Dockerfile: its name and its text
    dockerfile: tuple[str, bytes] | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(MobyError):
    """The request itself is wrong: a bad reference, option or value."""

    status = 400


class Unauthorized(MobyError):
    """A registry or the API refused who we are."""

    status = 401


class Forbidden(MobyError):
    """The object may not be treated so, whoever asks."""

    status = 403


class NotFound(MobyError):
    """No such object."""

    status = 404


class Conflict(MobyError):
    """The object is in a state, or has a name, that forbids the request."""

    status = 409


class NotModified(MobyError):
    """The object already is what the request would make it."""

    status = 304
    exit_code = 0


class NotImplementedYet(MobyError):
    """A known option or endpoint of the Docker Engine that this engine does not have yet; the text names it."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not implemented yet")


class OtherFrontend(NotImplementedYet):
    """A Dockerfile is for another frontend than this engine's own: ``image``, which is given ``command_line``. ``where`` ends the text."""

    def __init__(self, image: str, command_line: str, where: str) -> None:
        super().__init__(f"syntax {image[:80]}{where}")
        self.image = image
        self.command_line = command_line


class NotSupported(NotImplementedYet):
    """What the Docker Engine can do and this engine never will; the text says what to do in its place."""

    def __init__(self, text: str) -> None:
        MobyError.__init__(self, text)


class OtherEngine(MobyError):
    """The engine is not moby, and has no such operation."""

    status = 501


class Unavailable(MobyError):
    """Something outside the engine cannot be reached just now, or took too long."""

    status = 503


class NotInSwarm(Unavailable):
    """What is asked for belongs to a swarm. The text is dockerd's for an engine that is in none."""

    answered = True

    def __init__(self) -> None:
        super().__init__(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
            "and try again."
        )


class NotConnected(Unavailable):
    """No engine answers at an address."""

    def __init__(self, address: object, reason: object) -> None:
        super().__init__(f"cannot connect to {address}: {reason}; is the engine running there?")
        self.address = str(address)


class Unreachable(Unavailable):
    """A registry, a web server or a repository elsewhere cannot be reached, or breaks off: to dockerd a failure like any other."""

    status = 500


class CommandNotFound(MobyError):
    """The container's command does not exist in its file system (shell exit code 127)."""

    status = 400
    exit_code = 127


class CommandNotInvocable(MobyError):
    """The container's command exists and cannot be executed (shell exit code 126)."""

    status = 400
    exit_code = 126


class StorageFull(MobyError):
    """The disk that holds the data root is full."""

    status = 507


class StorageReadOnly(MobyError):
    """The data root lies on a file system that cannot be written to: what is there can be looked at, nothing changed."""

    status = 507


class CommandFailed(MobyError):
    """A command that was run to its end ended with another code than 0: ``exit_code``."""


class ContainerFailed(CommandFailed):
    """A container that was run to its end did not end with 0. ``stderr`` is the end of what it wrote there, ``stdout`` all of it."""

    def __init__(self, container: str, exit_code: int, stdout: bytes, stderr: bytes) -> None:
        last = stderr.decode(errors="replace").strip().rpartition("\n")[2]
        super().__init__(f"container {container[:12]} ended with status {exit_code}" + (f": {last}" if last else ""))
        self.container = container
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr


#: What the interpreter says where the system gives it no thread (pthread_create(3)).
_NO_THREAD = "can't start new thread"


def refused_by_system(error: Exception) -> MobyError | None:
    """What the system refused to this process, as an error for a person; None for what is a defect of ours."""
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return MobyError(f"{(error.strerror or str(error)).lower()}{place}")
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return Unavailable(
            "cannot start a thread: no more processes are allowed here; raise ulimit -u, or the control group's pids limit"
        )
    return None


class preceded:  # noqa: N801 - used as a function
    """``with preceded(TEXT):`` puts a text before that of an error, unless its text is ``but``: which operation has failed, on what."""

    def __init__(self, before: str, *, but: str = "") -> None:
        self._before, self._but = before, but

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, MobyError) and not isinstance(error, NotModified) and error.message != self._but:
            error.message = f"{self._before}: {error.message}"
