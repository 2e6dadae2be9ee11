"""Execs: further processes in a running container. One is created, started later, and can be inspected for minutes after its end."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel import fault
from moby_tui.engine.policy import capabilities, security
from moby_tui.engine.protocol import control
from moby_tui.engine.protocol.configuration import Process
from moby_tui.engine.protocol.execution import ExecutionState
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.runtime.client import attachment
from moby_tui.engine.runtime.client import monitor as monitor_client
from moby_tui.engine.runtime.configuration import spec, user
from moby_tui.engine.store.records.containers import ContainerRecord, ExecConfig, ExecRecord
from moby_tui.engine.store.state import State, write_message
from moby_tui.errors import CommandNotFound, Conflict, InvalidArgument, MobyError, NotFound, Unavailable
from moby_tui.schema.exec import ExecCreate, ExecInspect, ExecProcess, ExecStart
from moby_tui.schema.stream import Stream

#: How long an exec that has ended can still be inspected, in seconds (as dockerd).
_KEPT_SECONDS = 300
#: What a shell says of a process that SIGKILL ended.
_KILLED = 137


_decoder = msgspec.json.Decoder(ExecRecord)


async def create(parts: Parts, ref: str, asked: ExecCreate, *, inherits_environment: bool = True) -> str:
    """Creates an exec in the container ``ref`` and returns its id. Unless it ``inherits_environment``, it has none of the container's own
    variables.

    Raises ``Conflict`` if the container does not run, ``InvalidArgument`` for an unknown user or a variable without a name.
    """
    record = parts.get(ref)
    config = wire.exec_to_keep(asked)
    config.inherits_environment = inherits_environment
    if not config.cmd:
        raise InvalidArgument("No exec command specified")
    if nameless := [entry for entry in config.env or [] if entry.startswith("=")]:
        raise InvalidArgument(f"invalid environment variable: {nameless[0]}: its name cannot be empty")
    attachment.parse_detach_keys(config.detach_keys)
    state = _check_running(parts, record, ref)
    if config.user:
        _resolve_user(parts, record, config)
    config.console_size = _size(config.console_size)
    ident = os.urandom(32).hex()
    folder = parts.files(record).execs
    folder.mkdir(mode=0o700, exist_ok=True)
    _forget_old(folder)
    (folder / f"{ident}.json").write_bytes(
        msgspec.json.encode(ExecRecord(container=record.id, config=config, run=state.started_at))
    )
    fault.point("exec.record written")
    parts.event(f"exec_create: {' '.join(config.cmd)}", record, execID=ident)
    return ident


def _size(console: list[int] | None) -> list[int] | None:
    """Rows and columns; raises ``InvalidArgument``."""
    if not console:
        return None
    # imported here, since only a terminal has a size
    from moby_tui.engine.policy import admission

    return admission.console(console)


def _check_running(parts: Parts, record: ContainerRecord, ref: str) -> State:
    """The state of a container in which an exec can run; ``ref`` is its name in the error. Raises ``Conflict``."""
    state = parts.state(record)
    if not state.alive or parts.is_orphan(record, state):
        raise Conflict(f"container {record.id} is not running")
    parts.check_reachable(record, state)
    if state.status == "restarting":
        raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
    if state.status == "paused":
        raise Conflict(f"Container {ref} is paused, unpause the container before exec")
    return state


def _forget_old(folder: Path) -> None:
    for state in folder.glob("*.state"):
        if time.time() - state.stat().st_mtime > _KEPT_SECONDS and not _runs(state):
            state.with_suffix(".json").unlink(missing_ok=True)
            state.unlink()


def end_all(folder: Path) -> None:
    """Marks the execs in ``folder`` as killed: the monitor that would have written it was killed with the container."""
    for state in folder.glob("*.state"):
        if _runs(state):
            write_message(str(state), ExecutionState(exit_code=_KILLED))


def _runs(state: Path) -> bool:
    """True for an exec that runs; False if its file is damaged."""
    try:
        return ExecutionState.decode(state.read_bytes()).running
    except MalformedMessage:
        return False


def _find(parts: Parts, ident: str) -> tuple[ExecRecord, Path]:
    """The record of an exec and its path. Raises ``NotFound``, also for an exec that was not started in the run in which it was created."""
    if ident.isalnum():
        # not with a glob: fnmatch caches every pattern, and each id is another one
        for container in os.listdir(parts.paths.exec_root / "containers"):
            path = parts.paths.container(container).execs / f"{ident}.json"
            with suppress(FileNotFoundError, NotADirectoryError, NotFound):
                execution = _read(path)
                if _read_state(path) is None and _is_over(execution, parts.state(parts.get(execution.container))):
                    break
                return execution, path
    raise NotFound(f"No such exec instance: {ident}")


def _read(path: Path) -> ExecRecord:
    return _decoder.decode(path.read_bytes())


def _is_over(execution: ExecRecord, state: State) -> bool:
    """True if the run of the container in which the exec was created has ended."""
    return not state.alive or execution.run not in ("", state.started_at)


def unfinished(parts: Parts, record: ContainerRecord, state: State) -> list[str]:
    """The ids of a running container's execs that run or were not started yet."""
    unfinished_ids = []
    for path in parts.files(record).execs.glob("*.json"):
        # an exec whose file is damaged or was deleted meanwhile is left out
        with suppress(FileNotFoundError, Unavailable):
            status = _read_state(path)
            if status.running if status is not None else not _is_over(_read(path), state):
                unfinished_ids.append(path.stem)
    return unfinished_ids


async def start(parts: Parts, ident: str, options: ExecStart) -> Stream | None:
    """Starts an exec. Returns its streams; None if it is detached.

    Raises ``Conflict`` if it was started before, and the errors of its start.
    """
    execution, path = _find(parts, ident)
    if _read_state(path) is not None:
        raise Conflict(f"exec instance {ident} has run already")
    record = parts.get(execution.container)
    _check_running(parts, record, record.id)
    config = execution.config
    request = control.Execute(
        id=ident,
        process=_process(parts, record, config),
        tty=config.tty,
        raw=options.tty,
        stdin=config.attach_stdin,
        stdout=config.attach_stdout,
        stderr=config.attach_stderr,
        size=_size(options.console_size or config.console_size),
        keys=attachment.parse_detach_keys(config.detach_keys),
        detach=options.detach,
    )
    parts.event(f"exec_start: {' '.join(config.cmd or [])}", record, execID=ident)
    fault.point("exec.start told")
    try:
        stream = await monitor_client.execute(parts.files(record).socket, request, parts.patience(record), tty=options.tty)
    except MobyError as error:
        _note_failure(path, error)
        raise
    fault.point("exec.streaming")
    if options.detach:
        stream.close()
        return None
    return stream


def _note_failure(path: Path, error: MobyError) -> None:
    """Writes the exit code of an exec that failed to start, as Docker does: 127 for a missing command, else 126.

    A monitor that has answered has written it already.
    """
    state = path.with_suffix(".state")
    if not state.exists():
        code = 127 if isinstance(error, CommandNotFound) else 126
        with suppress(OSError):
            write_message(str(state), ExecutionState(exit_code=code))


def _resolve_user(parts: Parts, record: ContainerRecord, config: ExecConfig) -> user.User:
    """Looks up the exec's user in the container's file system. Raises ``InvalidArgument``, and ``Conflict`` if the container has ended."""
    state = parts.state(record)
    try:
        root = os.open(f"/proc/{state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict(f"container {record.id} is not running") from error
    try:
        return user.resolve(root, config.user or record.config.user, record.host_config.group_add or [])
    finally:
        os.close(root)


def _process(parts: Parts, record: ContainerRecord, config: ExecConfig) -> Process:
    who = _resolve_user(parts, record, config)
    profile = security.resolve(record.host_config, parts.paths)
    if config.privileged:
        # as docker: every capability, and no AppArmor; the container's seccomp filter and devices stay what they are
        every = capabilities.resolve([], [], privileged=True).granted
        profile = msgspec.structs.replace(profile, capabilities=every, apparmor_profile="")
    if record.host_config.links:
        from moby_tui.engine.containers import links  # few containers have any

        record = links.with_environment(record, links.reachable(parts, record))
    return spec.exec_process(record, spec.Identity(who, profile), config)


def _read_state(path: Path) -> ExecutionState | None:
    """The state of an exec; None before its start. Raises ``Unavailable`` for a damaged file and for that of a later moby."""
    try:
        return ExecutionState.decode(path.with_suffix(".state").read_bytes(), f"state of exec {path.stem}")
    except FileNotFoundError:
        return None
    except MalformedMessage as error:
        raise Unavailable(str(error)) from error


def inspect(parts: Parts, ident: str) -> ExecInspect:
    execution, path = _find(parts, ident)
    config = execution.config
    state = _read_state(path) or ExecutionState()
    command = config.cmd or [""]
    user_name = config.user or parts.get(execution.container).config.user
    return ExecInspect(
        id=ident,
        running=state.running,
        exit_code=state.exit_code,
        process_config=ExecProcess(
            tty=config.tty, entrypoint=command[0], arguments=command[1:], privileged=config.privileged, user=user_name
        ),
        detach_keys=_encoded_keys(config.detach_keys),
        open_stdin=config.attach_stdin,
        open_stdout=config.attach_stdout,
        open_stderr=config.attach_stderr,
        container_id=execution.container,
        pid=state.pid,
    )


def _encoded_keys(keys: str) -> str:
    """The bytes that detach, in base64, as Go encodes bytes; empty if the request names none."""
    import base64  # imported here, since only who inspects an exec reads them

    return base64.b64encode(bytes(attachment.parse_detach_keys(keys))).decode() if keys else ""


async def resize(parts: Parts, ident: str, height: int, width: int) -> None:
    """Sets the size of an exec's terminal. Does nothing before its start and after its end: clients resize too early and too late.

    Raises ``Conflict`` if the container does not run."""
    execution, path = _find(parts, ident)
    _check_running(parts, parts.get(execution.container), execution.container)
    state = _read_state(path)
    if state is None or not state.running:
        return
    try:
        await parts.request(parts.get(execution.container), control.Resize(exec=ident, height=height, width=width))
    except MobyError:
        state = _read_state(path)
        if state is not None and state.running:
            raise
