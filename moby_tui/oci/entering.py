"""``exec``: one more process in a running container; and the hooks that run as the container does."""

from __future__ import annotations

import json
import os
import signal

from moby_tui.engine.kernel.readiness import wait_readable
from moby_tui.engine.protocol.configuration import Capabilities, Configuration, Hook, Process, User
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.runtime.birth import hooks, terminal
from moby_tui.engine.runtime.birth.awaiting import Awaited, check_moving
from moby_tui.engine.runtime.birth.failure import StartFailure
from moby_tui.engine.runtime.monitor.execution import clone_into, open_entrances
from moby_tui.engine.runtime.plan.becoming import ProcessInputs, Streams
from moby_tui.engine.runtime.plan.exec import compile_exec
from moby_tui.errors import MobyError
from moby_tui.oci import bundle as bundles
from moby_tui.oci import console, seccomp
from moby_tui.oci.arguments import Options
from moby_tui.oci.creation import give_streams, host_user, write_pid
from moby_tui.oci.listening import Listener
from moby_tui.oci.store import Container, Store
from moby_tui.oci.waiting import wait

_REFUSALS = {"stopped": "cannot exec a container that has stopped", "paused": "cannot exec in a paused container"}


def execute(store: Store, options: Options) -> int:
    """Returns the exit code; 0 at once if it is detached."""
    ident, *command = options.words
    container = store.get(ident)
    if (refusal := _REFUSALS.get(container.status())) is not None:
        raise MobyError(refusal)
    config = container.config
    process = process_of(config.process, options, command)
    master, peer = -1, -1
    if process.terminal:
        master, peer = console.open_in_container(container.pid)
        os.fchown(peer, host_user(config, process), -1)
        size = process.console_size
        if size is not None and size.height:
            terminal.resize(master, size.height, size.width)
        _hand_over(options, master)
    else:
        give_streams(host_user(config, process))
    program = seccomp.program(store.root, config.linux.seccomp)
    pid = _enter(container, process, program, Streams(peer), options.number("preserve-fds"))
    if peer >= 0:
        os.close(peer)
    if options.get("pid-file"):
        write_pid(options.get("pid-file"), pid)
    if "detach" in options:
        return 0
    return wait(pid, -1 if options.get("console-socket") else master)


def _hand_over(options: Options, master: int) -> None:
    if options.get("console-socket"):
        console.send(options.get("console-socket"), master)
    elif "detach" in options:
        raise MobyError("cannot allocate tty if moby will detach without setting console socket: give --console-socket")


def process_of(own: Process, options: Options, command: list[str]) -> Process:
    """The process object: from a file, or the container's own with what the command line changes. Raises ``MobyError``."""
    if options.get("process"):
        path = options.get("process")
        try:
            with open(path, "rb") as file:
                # what is executed is what the first argument says
                process = Process.decode(file.read(), "process").replaced(executable="")
        except OSError as error:
            raise MobyError(f"--process {path}: {(error.strerror or str(error)).lower()}") from error
        except MalformedMessage as error:
            raise MobyError(f"--process {path}: {error}") from error
    else:
        process = own.replaced(
            args=command,
            terminal="tty" in options,
            env=[*own.env, *options.lists.get("env", [])],
            cwd=options.get("cwd") or own.cwd,
            user=_user(own.user, options),
            capabilities=_capabilities(own.capabilities, options.lists.get("cap", [])),
            no_new_privileges="no-new-privs" in options or own.no_new_privileges,
            apparmor_profile=options.get("apparmor") or own.apparmor_profile,
        )
    if not process.args:
        raise MobyError("exec needs a command, or --process with a file that names one")
    bundles.check_process(process)
    return process


def _user(own: User, options: Options) -> User:
    user = own
    uid, _, gid = options.get("user").partition(":")
    if uid:
        if not uid.isdecimal() or not (gid or "0").isdecimal():
            raise MobyError(f"--user takes UID[:GID] as numbers, not {options.get('user')!r}")
        user = user.replaced(uid=int(uid), gid=int(gid or 0))
    extra = [int(text) for text in options.lists.get("additional-gids", []) if text.isdecimal()]
    return user.replaced(groups=[*user.groups, *extra])


def _capabilities(own: Capabilities, added: list[str]) -> Capabilities:
    if not added:
        return own
    sets = {name: sorted({*getattr(own, name), *added}) for name in ("bounding", "effective", "permitted", "ambient")}
    return own.replaced(**sets)


def _enter(container: Container, process: Process, filter_program: bytes, streams: Streams, preserved: int) -> int:
    """Makes the process, a child of ours; returns its pid. Raises ``StartFailure``."""
    cgroup, config = container.cgroup, container.config
    init = os.pidfd_open(container.pid)
    report, child_report = os.pipe2(os.O_CLOEXEC)
    listener = Listener.of(config.linux) if filter_program else None
    entrances = open_entrances(cgroup)
    inputs = ProcessInputs(
        streams,
        seccomp=filter_program,
        listener=-1 if listener is None else listener.give,
        monitored=False,
        preserved=preserved,
    )
    program = compile_exec(process, config, init, entrances, inputs)
    joiner = clone_into(cgroup, init)
    if joiner == 0:
        program.run(child_report)
    for fd in (child_report, init, *entrances):
        os.close(fd)
    if joiner < 0:
        raise OSError(-joiner, "cannot make a process in the control group")
    awaited = Awaited(report, lambda: check_moving(cgroup.path, joiner, *filter(None, [awaited.report.pid])))
    if listener is not None:
        _hand_over_listener(listener, awaited, joiner, container)
    pid, failure = awaited.outcome(joiner)
    os.close(report)
    if not pid and not failure:
        raise MobyError("the container has ended")
    if failure:
        if pid:
            os.waitpid(pid, 0)
        raise StartFailure.of_report(failure, process.args[0])
    return pid


def _hand_over_listener(listener: Listener, awaited: Awaited, joiner: int, container: Container) -> None:
    listener.child_is_made()
    try:
        # a process that has failed sends no listener
        listener.send(awaited, awaited.pid(), container.state())
    except BaseException:
        awaited.give_up(joiner)
        raise


def run_hooks(container: Container, config: Configuration, found: list[Hook]) -> None:
    """The startContainer hooks: programs of the container's own, so they run as its process would, with no more rights.

    Raises ``HookFailure``.
    """
    program = seccomp.program(os.path.dirname(container.folder), config.linux.seccomp) if found else b""
    for hook in found:
        path = hook.path
        # the path is what is executed, whatever the first argument says
        process = config.process.replaced(args=hook.args or [path], env=hook.env, terminal=False, executable=path)
        text = json.dumps(container.state("created")).encode()
        state, feed = os.pipe2(os.O_CLOEXEC)
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            pid = _enter(container, process, program, Streams(standard=(state, null, null)), 0)
        except StartFailure as failure:
            os.close(feed)
            raise hooks.HookFailure(f"startContainer hook {path}: {failure.message}") from failure
        finally:
            os.close(state)
            os.close(null)
        _see_through(hook, pid, feed, text)


def _see_through(hook: Hook, pid: int, feed: int, text: bytes) -> None:
    """Gives a hook the state and waits for its end. Raises ``HookFailure``."""

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        os.write(feed, text)
    except BrokenPipeError:
        # it does not care for the state
        pass
    os.close(feed)
    pidfd, timeout = os.pidfd_open(pid), hook.timeout
    ended = wait_readable(pidfd, seconds=None if timeout is None else float(timeout))
    if not ended:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not ended:
        raise hooks.HookFailure(f"startContainer hook {hook.path}: no end after {timeout} s; it was killed")
    if code != 0:
        raise hooks.HookFailure(f"startContainer hook {hook.path}: exit status {code}")
