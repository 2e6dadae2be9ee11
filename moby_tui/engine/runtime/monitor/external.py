"""A container in the care of another OCI runtime: a program that is told what to do on its command line (light imports).

The monitor stays what it is: it holds the streams, writes the log and is the parent of the first process, which the runtime leaves
to it: it is a subreaper. The command line is that of runc, which all others have: opencontainers/runtime-tools,
docs/command-line-interface.md.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

from moby_tui.engine.kernel import calls, fault, unix_socket
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.removal import remove_tree
from moby_tui.engine.protocol.configuration import Configuration, Process, Resources
from moby_tui.engine.runtime.birth.failure import StartFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.stdio import Stdio

#: A runtime that starts a virtual machine takes its time; one that takes longer than this is stuck.
_SECONDS = 60.0
#: The oldest version that knows all that is written here: crun 1.8 refuses those after it.
_VERSION = "1.0.2"
_MISSING = ("not found", "no such file or directory")
_REFUSED = ("permission denied", "is a directory", "exec format error", "invalid argument")


class External:
    """One container, as its runtime knows it. ``run`` is the folder of what is there only while it runs."""

    def __init__(self, program: str, ident: str, run: str) -> None:
        self._program = program
        self._ident = ident
        self._folder = f"{run}/runtime"
        self._command = ""
        self._log = f"{self._folder}/log.json"

    def create(self, spec: Configuration, root: int, joined: dict[str, int], trees: dict[str, int], stdio: Stdio) -> int:
        """Runs ``create``; returns the pid of the first process, which waits for ``start``. Raises ``StartFailure`` and ``OSError``."""
        self._clear()
        bundle, state = f"{self._folder}/bundle", f"{self._folder}/state"
        rootfs = f"{bundle}/rootfs"
        points = {destination: f"{bundle}/tree-{number}" for number, destination in enumerate(trees)}
        for folder in (rootfs, state):
            os.makedirs(folder, mode=0o700)
        for destination, tree in trees.items():
            _make_point(points[destination], tree)
        with open(f"{bundle}/config.json", "wb") as file:
            file.write(_adapted(spec, rootfs, joined, points).encode())
        places = [(root, rootfs), *((tree, points[destination]) for destination, tree in trees.items())]
        self._command = spec.process.args[0]
        command = ["create", "--bundle", bundle, "--pid-file", f"{self._folder}/pid"]
        # mounted in a mount namespace of the runtime's own, which ends with it
        self._run_with_streams(command, [self._ident], stdio, self._command, lambda: _mount_apart(places))
        fault.point("runtime.created")
        return self._read_pid()

    def start(self) -> None:
        """Runs ``start``: the first process executes the program. Raises ``StartFailure``."""
        self._run(["start", self._ident], program=self._command)
        fault.point("runtime.started")

    def execute(self, process: Process, stdio: Stdio) -> int:
        """Runs ``exec``; returns the pid of the new process. Raises ``StartFailure`` and ``OSError``."""
        path = f"{self._folder}/process.json"
        with open(path, "wb") as file:
            file.write(process.encode())
        command = ["exec", "--detach", "--process", path, "--pid-file", f"{self._folder}/pid"]
        self._run_with_streams(command, [self._ident], stdio, process.args[0])
        fault.point("runtime.executed")
        return self._read_pid()

    def kill(self, number: int) -> None:
        """Sends a signal to the first process. Raises ``OSError`` if the runtime refuses."""
        self._ask("kill", self._ident, str(number))

    def pause(self) -> None:
        self._ask("pause", self._ident)

    def resume(self) -> None:
        self._ask("resume", self._ident)

    def update(self, resources: Resources) -> None:
        """Changes limits: ``resources`` has the sections to change. Raises ``OSError``."""
        path = f"{self._folder}/resources.json"
        with open(path, "wb") as file:
            file.write(resources.encode())
        self._ask("update", "--resources", path, self._ident)

    def delete(self) -> None:
        """Runs ``delete --force``: the runtime removes what it keeps of the container. A failure shows in the caller's next step."""
        if os.path.isdir(f"{self._folder}/state"):
            with suppress(StartFailure):
                self._run(["delete", "--force", self._ident])
        fault.point("runtime.deleted")
        self._clear()

    def _clear(self) -> None:
        remove_tree(self._folder)

    def _read_pid(self) -> int:
        text = ""
        with suppress(FileNotFoundError), open(f"{self._folder}/pid") as file:
            text = file.read().strip()
        if not text.isdecimal():
            raise OSError(0, f"{self._name} did not say the process's pid")
        return int(text)

    @property
    def _name(self) -> str:
        return os.path.basename(self._program)

    def _ask(self, *words: str) -> None:
        try:
            self._run([*words])
        except StartFailure as failure:
            raise OSError(0, failure.message) from failure

    def _run_with_streams(
        self, command: list[str], arguments: list[str], stdio: Stdio, program: str, prepare: Callable[[], None] | None = None
    ) -> None:
        """Runs ``create`` or ``exec`` with the process's streams; a terminal is opened by the runtime, which sends its master here."""
        if not stdio.tty:
            self._run([*command, *arguments], stdio.child, program, prepare)
            return
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        # a short path, since a socket's is limited to 107 bytes
        path = f"/proc/{os.getpid()}/fd/{folder}/console.sock"
        try:
            with unix_socket.listen(path) as listener:
                self._run([*command, "--console-socket", path, *arguments], None, program, prepare)
                stdio.take_terminal(_receive_terminal(listener, self._name))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/console.sock")
            os.close(folder)

    def _run(
        self,
        words: list[str],
        streams: tuple[int, int, int] | None = None,
        program: str = "",
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """Runs the runtime to its end. Raises ``StartFailure`` with its error text; ``program`` is the container's command, for that text."""
        with suppress(FileNotFoundError):
            os.unlink(self._log)
        command = [self._program, "--root", f"{self._folder}/state", "--log", self._log, "--log-format", "json", *words]
        before = processes.children()
        output = os.open(f"{self._folder}/output", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            pid = os.fork()
            if pid == 0:
                _become(command, streams or (-1, output, output), output, prepare)
            code = _await_end(pid)
            if code == 0:
                return
            _end_all(processes.children() - before)
            message = _last_error(self._log) or os.pread(output, 4096, 0).decode("utf-8", "replace").strip()
        finally:
            os.close(output)
        how = f"no end after {_SECONDS:.0f} s; it was killed" if code is None else message or f"exit status {code}"
        kind = _kind(how, program)
        what = f'exec: "{program}": ' if kind != "failed" and program not in how else ""
        raise StartFailure(kind, f"{self._name} {words[0]}: {what}{how}")


def _make_point(path: str, tree: int) -> None:
    """A directory is mounted on a directory, and a file on a file."""
    if stat.S_ISDIR(os.fstat(tree).st_mode):
        os.mkdir(path, 0o700)
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _adapted(spec: Configuration, rootfs: str, joined: dict[str, int], points: dict[str, str]) -> Configuration:
    """The configuration with paths instead of descriptors, for another process."""
    namespaces = [
        namespace.replaced(path=f"/proc/{os.getpid()}/fd/{joined[namespace.type]}") if namespace.type in joined else namespace
        for namespace in spec.linux.namespaces
    ]
    # what of a mount is this engine's own is in the tree by now
    moved = [
        mount.replaced(source=points[mount.destination], subpath="", layers=None) if mount.destination in points else mount
        for mount in spec.mounts
    ]
    linux = spec.linux.replaced(namespaces=namespaces)
    return spec.replaced(oci_version=_VERSION, root=spec.root.replaced(path=rootfs), mounts=moved, linux=linux)


def _mount_apart(places: list[tuple[int, str]]) -> None:
    """Attaches detached mounts in a mount namespace of the runtime's own. Only the mount they are attached to is cut off
    from this one, so that the shared propagation of a volume elsewhere reaches the host as it was asked for."""
    if calls.unshare(processes.CLONE_NEWNS) < 0:
        raise OSError(calls.errno_now(), "cannot make a mount namespace for the runtime")
    mounts.mount(None, _mount_of(places[0][1]), None, mounts.MS_SLAVE)
    for tree, point in places:
        mounts.move_mount(tree, "", mounts.AT_FDCWD, point, mounts.MOVE_MOUNT_F_EMPTY_PATH)


def _mount_of(path: str) -> str:
    """The mount point of the file system that a folder lies on."""
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def _become(command: list[str], streams: tuple[int, int, int], output: int, prepare: Callable[[], None] | None) -> None:
    """Executes the runtime, in the new process; never returns. An error is written to ``output``.

    It dies with the monitor; the engine that finds the container then ends it."""
    try:
        os.setsid()
        processes.prctl(processes.PR_SET_PDEATHSIG, signal.SIGKILL)
        stdin = streams[0] if streams[0] >= 0 else os.open("/dev/null", os.O_RDONLY)
        for number, fd in enumerate((stdin, *streams[1:])):
            os.dup2(fd, number)
        if prepare is not None:
            prepare()
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)
    except OSError as error:
        os.write(output, f"{error.strerror}\n".encode())
    finally:
        os._exit(127)


def _await_end(pid: int) -> int | None:
    """Waits for the exit code; None if the runtime took too long and was killed."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        ended = poll.poll(_SECONDS * 1000)
    finally:
        os.close(pidfd)
    if not ended:
        os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if ended else None


def _end_all(left: set[int]) -> None:
    """Kills and reaps children that a failed command has left to this subreaper: an unreaped process keeps its pid namespace from ending."""
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _last_error(log: str) -> str:
    """The last error in a runtime's log of JSON lines."""
    message = ""
    with suppress(OSError, ValueError), open(log) as file:
        for line in file:
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("level") in ("error", "fatal", None):
                message = str(entry.get("msg", "")) or message
    return message.strip()


def _kind(text: str, program: str) -> str:
    """The kind of a failed start, from the runtime's error text: with the same words that Docker looks for."""
    lower = text.lower()
    if "open executable" in lower:
        return "not_invocable"
    if not program or program.lower() not in lower:
        return "failed"
    if any(words in lower for words in _MISSING):
        return "not_found"
    return "not_invocable" if any(words in lower for words in _REFUSED) else "failed"


def _receive_terminal(listener: socket.socket, name: str) -> int:
    """Receives the terminal's master from the runtime."""
    listener.setblocking(False)
    try:
        connection, _ = listener.accept()
        with connection:
            connection.setblocking(True)
            connection.settimeout(_SECONDS)
            _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
    except OSError:
        descriptors = []
    if not descriptors:
        raise StartFailure("failed", f"{name} did not send the terminal")
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]
