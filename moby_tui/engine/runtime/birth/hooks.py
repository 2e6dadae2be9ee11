"""OCI hooks: commands run at fixed points of a container's life, with its state on standard input.

Specification: opencontainers/runtime-spec 1.2, config.md "POSIX-platform Hooks". Runs in monitors: light imports.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.protocol.configuration import Hook

#: All stages, in the order of their running.
STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_MAX_OUTPUT = 4096


class HookFailure(Exception):
    """A hook could not be run, failed or took too long; the text says which and how."""


def run(hooks: list[Hook], stage: str, state: dict[str, object], *, inside: int = -1) -> None:
    """Runs the hooks one after the other. Raises ``HookFailure`` on the first that fails.

    ``inside``: the pidfd of a process whose namespaces they run in; their paths are resolved there.
    """
    text = json.dumps(state).encode()
    for hook in hooks:
        _run_one(hook, stage, text, inside)


def _run_one(hook: Hook, stage: str, text: bytes, inside: int) -> None:
    path = hook.path
    arguments = hook.args or [path]
    # as the other runtimes: a hook that names no environment has an empty one
    variables = dict(entry.partition("=")[::2] for entry in hook.env)
    stdin, feed = os.pipe2(os.O_CLOEXEC)
    output, child_output = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(path, arguments, variables, stdin, child_output, inside)
    pidfd = os.pidfd_open(pid)
    os.close(stdin)
    os.close(child_output)
    try:
        printed = _converse(pidfd, feed, output, text, None if hook.timeout is None else float(hook.timeout))
    except TimeoutError:
        # kill its process group, with what it has started
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise HookFailure(f"{stage} hook {path}: no end after {hook.timeout} s; it was killed") from None
    finally:
        os.close(output)
        os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != 0:
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        detail = printed.decode("utf-8", "replace").strip().replace("\n", "; ")
        raise HookFailure(f"{stage} hook {path}: {how}" + (f": {detail}" if detail else ""))


def _become(path: str, arguments: list[str], variables: dict[str, str], stdin: int, output: int, inside: int) -> None:
    """In the new process; never returns."""
    try:
        os.setsid()
        if inside >= 0 and calls.setns(inside, _CONTAINER_NAMESPACES) < 0:
            raise OSError(calls.errno_now(), "cannot enter the container's namespaces")
        os.dup2(stdin, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir("/")
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, 1024)
        os.execve(path, arguments, variables)
    except OSError as error:
        os.write(2, f"{error.strerror}".lower().encode())
    finally:
        os._exit(127)


#: The namespaces that a hook joins. Not the pid namespace: /proc is the host's then, and a process that a hook leaves would keep the
#: container from ending.
_CONTAINER_NAMESPACES = (
    processes.CLONE_NEWNS | processes.CLONE_NEWUTS | processes.CLONE_NEWIPC | processes.CLONE_NEWNET | processes.CLONE_NEWCGROUP
)


def _converse(pidfd: int, feed: int, output: int, text: bytes, timeout: float | None) -> bytes:
    """Writes the state to the hook, and collects its output until it ends. Raises ``TimeoutError``. Closes ``feed``."""
    deadline = None if timeout is None else time.monotonic() + timeout
    os.set_blocking(feed, False)
    waiting, printed = {pidfd: select.POLLIN, output: select.POLLIN, feed: select.POLLOUT}, b""
    try:
        while pidfd in waiting:
            poll = select.poll()
            for fd, events in waiting.items():
                poll.register(fd, events)
            rest = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            ready = poll.poll(rest)
            if not ready:
                raise TimeoutError
            for fd, _ in ready:
                if fd == feed:
                    text = _write_some(feed, text)
                    if not text:
                        del waiting[feed]
                        os.close(feed)
                elif fd == output:
                    piece = os.read(output, _MAX_OUTPUT)
                    printed = (printed + piece)[-_MAX_OUTPUT:]
                    if not piece:
                        del waiting[output]
                else:
                    del waiting[pidfd]
        os.set_blocking(output, False)
        try:
            # the last output; a grandchild may hold the pipe open, and is not waited for
            printed = (printed + os.read(output, _MAX_OUTPUT))[-_MAX_OUTPUT:]
        except BlockingIOError:
            pass
    finally:
        if feed in waiting:
            os.close(feed)
    return printed


def _write_some(fd: int, text: bytes) -> bytes:
    """Writes as much as the pipe takes; returns the rest, empty if the hook has closed its input."""
    try:
        return text[os.write(fd, text) :]
    except BlockingIOError:
        return text
    except BrokenPipeError:
        return b""
