"""What is so now of one container: a small file that its monitor alone writes, whole for whoever reads (light imports: for every monitor)."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import time
from contextlib import suppress

from moby_tui.engine.kernel import fault
from moby_tui.engine.protocol.message import MalformedMessage, Message

#: Its name in a container's folder. Where the folder is removed it goes last.
STATE_FILE = "state.json"
#: In a container's folder: where its own layer is mounted, if that is a file system of its own.
LIMITED = "limited"
#: Written by no one: what a state file says that cannot be read (a disk that lost what was written).
DAMAGED = "damaged"
#: What a disk writes whole or not at all.
_SECTOR = 512
#: The first and the last key of a state: what was read while it was written has two that differ.
_FIRST, _LAST = "stamp", "stamp_again"
#: Before each look at a file that seems to be just being written.
_PATIENCE = (0.0, 0.001, 0.005, 0.02)
ZERO_TIME = "0001-01-01T00:00:00Z"
_STATUSES = ("created", "running", "paused", "restarting", "exited")
_MOST = 1 << 63


class State(Message):
    """``status``: created, running, paused, restarting, exited.

    ``pid`` and ``pid_started`` together name a process for good; ``boot`` a boot.
    """

    status: str = "created"
    pid: int = 0
    pid_started: int = 0
    monitor: int = 0
    boot: str = ""
    started_at: str = ZERO_TIME
    finished_at: str = ZERO_TIME
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    #: how often it was started again since somebody started it
    restart_count: int = 0
    #: whether somebody asked for its end
    stopped: bool = False

    def check(self, where: str) -> None:
        """Whether a monitor could have written it."""
        if self.status not in _STATUSES:
            raise MalformedMessage(f"{where}: there is no status {self.status!r:.80}")
        if not _is_time(self.started_at) or not _is_time(self.finished_at):
            raise MalformedMessage(f"{where}: expected times as a monitor writes them")
        if any(not 0 <= number < _MOST for number in (self.pid, self.pid_started, self.monitor, self.restart_count)):
            raise MalformedMessage(f"{where}: expected pids and counts")

    @property
    def alive(self) -> bool:
        """As in Docker, what waits for its restart counts as running: it is to be stopped before it is removed."""
        return self.status in ("running", "paused", "restarting")

    def write(self, path: str) -> None:
        """Writes the state. A reader sees the old state or the new one, never half of one, also after a power cut. Raises ``OSError``.

        A state that fits one sector is written over the last one, in one piece: ext4 writes a file that is renamed over another through to
        the disk first (its option ``auto_da_alloc``), for which a start would wait.
        """
        stamp = time.time_ns()
        data = json.dumps({_FIRST: stamp, **self.values(), _LAST: stamp}).encode().ljust(_SECTOR)
        if len(data) > _SECTOR or not _write_over(path, data, longest=_SECTOR):
            _replace(path, data)

    @classmethod
    def read(cls, path: str) -> State:
        """The state; that of a new container if there is no file yet. A file that is damaged has the status ``damaged``."""
        try:
            return cls.from_values(_read_whole(path), path)
        except FileNotFoundError:
            return cls()
        except (ValueError, RecursionError, OSError):
            return cls(status=DAMAGED)


def _is_time(text: str) -> bool:
    """Whether it is as ``now`` writes it, or Go's zero time."""
    if text == ZERO_TIME:
        return True
    shape = "".join("0" if "0" <= character <= "9" else character for character in text)
    return shape == "0000-00-00T00:00:00.000000000Z"


def _open_regular(path: str, flags: int) -> int:
    """Opens a regular file. Raises ``ValueError``, or ``OSError``, for anything else: a named pipe or a device would be waited for without
    end."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise ValueError(f"{path} is no regular file")


def _read_whole(path: str) -> object:
    """Looks again at what was being written while it was read: its first stamp is then not its last. Raises ``ValueError``."""
    for wait in _PATIENCE:
        if wait:
            # to sleep for no time gives the processor away (clock_nanosleep(2)): a millisecond and more on a busy machine
            time.sleep(wait)
        with open(path, "rb", opener=_open_regular) as file:
            data = file.read()
        with suppress(ValueError):
            values = json.loads(data)
            if not isinstance(values, dict) or values.pop(_FIRST, None) == values.pop(_LAST, None):
                return values
    raise ValueError(f"{path} is damaged")


def write_message(path: str, message: Message) -> None:
    """Replaces a file with a message, atomically. Raises ``OSError``."""
    _replace(path, message.encode())


def _replace(path: str, data: bytes) -> None:
    """On a full disk a file that is there already is written over where it lies, which takes no space: what has ended must be told."""
    temporary = f"{path}.{os.getpid()}"
    try:
        _write_anew(temporary, data)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not _write_over(path, data):
            raise
        return
    fault.point("state.temporary written")
    os.rename(temporary, path)
    fault.point("state.replaced")


def _write_anew(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        if os.write(fd, data) < len(data):
            # what is missing finds no space either, but for a signal, which none is here
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)


def _write_over(path: str, data: bytes, *, longest: float = math.inf) -> bool:
    """One write within the file's first block, which it has already; what was longer ends in blanks, which JSON allows.

    False if there is no regular file yet, or one that is longer than ``longest`` bytes."""
    try:
        fd = _open_regular(path, os.O_WRONLY)
    except (FileNotFoundError, ValueError):
        return False
    except IsADirectoryError:
        # no engine makes one there: whoever did finds it beside
        os.rename(path, f"{path}.{time.time_ns()}")
        return False
    except OSError as error:
        if error.errno == errno.ENXIO:  # a named pipe that no process reads
            return False
        raise
    try:
        size = os.fstat(fd).st_size
        if size > longest:
            return False
        os.pwrite(fd, data.ljust(size), 0)
    finally:
        os.close(fd)
    fault.point("state.written over")
    return True


def now() -> str:
    """The time in RFC 3339 with nanoseconds, as Docker writes it."""
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
