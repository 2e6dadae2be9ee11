"""The commands of ``moby oci``, and how each outcome ends the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence

from moby_tui.errors import MobyError
from moby_tui.oci import log
from moby_tui.oci.arguments import Known, Options, UsageError, parse
from moby_tui.oci.store import DEFAULT_ROOT, VERSION, Store

_GLOBAL: Known = {
    **dict.fromkeys(("root", "log", "log-format", "log-level", "criu", "rootless", "cgroup-manager"), "value"),
    **dict.fromkeys(("debug", "systemd-cgroup", "version", "help"), "flag"),
}
_CREATE: Known = {
    **dict.fromkeys(("bundle", "console-socket", "pid-file", "preserve-fds"), "value"),
    **dict.fromkeys(("no-pivot", "no-new-keyring"), "flag"),
}
_EXEC: Known = {
    **dict.fromkeys(("console-socket", "cwd", "user", "process", "pid-file", "apparmor", "preserve-fds"), "value"),
    **dict.fromkeys(("env", "additional-gids", "cap"), "list"),
    **dict.fromkeys(("tty", "detach", "no-new-privs"), "flag"),
}
_EXEC_SHORT = {"e": "env", "t": "tty", "u": "user", "p": "process", "d": "detach", "g": "additional-gids", "c": "cap"}
_UPDATE: Known = {
    **dict.fromkeys(("resources", "blkio-weight", "cpu-period", "cpu-quota", "cpu-share", "cpuset-cpus", "cpuset-mems"), "value"),
    **dict.fromkeys(("memory", "memory-reservation", "memory-swap", "pids-limit"), "value"),
}
USAGE = """\
usage: moby oci [--root DIR] [--log FILE] [--log-format text|json] [--debug] COMMAND

An OCI runtime for other engines.

  create [--bundle DIR] [--console-socket PATH] [--pid-file PATH] [--preserve-fds N] [--no-pivot] [--no-new-keyring] ID
  start ID                      let a created container's process run
  run [create's options] [-d] [--keep] ID
  state ID                      its state, as JSON
  kill [--all] ID [SIGNAL]      send a signal (SIGTERM)
  delete [--force] ID
  exec [-d] [-t] [-u UID[:GID]] [-e NAME=VALUE] [--cwd DIR] [--process FILE] [--pid-file PATH] ID COMMAND...
  pause ID, resume ID           stop all processes, let them run again
  update [--resources FILE] [--memory BYTES] [--cpu-quota US] [--pids-limit N] ... ID
  list [-f table|json] [-q]     all containers below --root
  ps [-f table|json] ID         its processes
  spec [--bundle DIR]           write a config.json to begin with
  features                      what this runtime can do, as JSON
"""


def main(arguments: Sequence[str]) -> int:
    """Runs one command line; returns the exit code. An error is one line in the log and on standard error."""
    try:
        options = parse(arguments, _GLOBAL, {"v": "version", "h": "help"})
        log.use(options.get("log"), options.get("log-format"))
        return _dispatch(options)
    except UsageError as error:
        log.fail(f"{error}; see moby oci --help")
    except MobyError as error:
        log.fail(error.message)
    except (OSError, ValueError) as error:
        from moby_tui.engine.runtime.birth.failure import say

        log.fail(say(error))
    except Exception as error:
        from moby_tui.engine.runtime.birth.failure import StartFailure
        from moby_tui.engine.runtime.birth.hooks import HookFailure

        if not isinstance(error, StartFailure | HookFailure):
            raise
        log.fail(str(error))
    return 255 if "exec" in arguments else 1


def _dispatch(options: Options) -> int:
    if "version" in options:
        from moby_tui.version import VERSION as OURS

        print(f"moby version {OURS}\nspec: {VERSION}")
        return 0
    if "help" in options or not options.words:
        print(USAGE, end="")
        return 0
    _check_global(options)
    name, *rest = options.words
    command = _COMMANDS.get(name)
    if command is None:
        raise UsageError(f"unknown command {name!r}")
    return command(Store(options.get("root", DEFAULT_ROOT)), rest) or 0


def _check_global(options: Options) -> None:
    if "systemd-cgroup" in options or options.get("cgroup-manager") == "systemd":
        raise MobyError("--systemd-cgroup is not supported: use the cgroupfs manager")
    if options.get("log-format", "text") not in ("text", "json"):
        raise UsageError(f"--log-format is text or json, not {options.get('log-format')!r}")
    if os.geteuid() != 0:
        raise MobyError("moby oci needs root")


def _only_id(options: Options) -> str:
    if len(options.words) != 1:
        raise UsageError("exactly one container id is needed")
    return options.words[0]


def _create(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.creation import create

    options = parse(arguments, _CREATE, {"b": "bundle"})
    create(store, _only_id(options), _create_options(options))
    return 0


def _create_options(options: Options):  # type: ignore[no-untyped-def]
    from moby_tui.oci.creation import CreateOptions

    return CreateOptions(
        bundle=options.get("bundle", "."),
        console_socket=options.get("console-socket"),
        pid_file=options.get("pid-file"),
        preserved=options.number("preserve-fds"),
        no_pivot="no-pivot" in options,
        no_new_keyring="no-new-keyring" in options,
    )


def _start(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.starting import start

    start(store, _only_id(parse(arguments, {})))
    return 0


def _run(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.starting import run

    options = parse(arguments, {**_CREATE, "detach": "flag", "keep": "flag"}, {"b": "bundle", "d": "detach"})
    return run(store, _only_id(options), _create_options(options), detach="detach" in options, keep="keep" in options)


def _state(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.look import state

    state(store, _only_id(parse(arguments, {})))
    return 0


def _kill(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.removal import parse_signal, send

    options = parse(arguments, {"all": "flag"}, {"a": "all"})
    if not 1 <= len(options.words) <= 2:
        raise UsageError("kill takes a container id and a signal")
    number = parse_signal(options.words[1]) if len(options.words) == 2 else int(signal.SIGTERM)
    send(store.get(options.words[0]), number, everybody="all" in options)
    return 0


def _delete(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.removal import delete

    options = parse(arguments, {"force": "flag"}, {"f": "force"})
    delete(store, _only_id(options), force="force" in options)
    return 0


def _exec(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.entering import execute

    options = parse(arguments, _EXEC, _EXEC_SHORT)
    if not options.words:
        raise UsageError("a container id is needed")
    return execute(store, options)


def _pause(store: Store, arguments: list[str]) -> int:
    with store.locked(_only_id(parse(arguments, {}))) as container:
        status = container.status()
        if status not in ("created", "running"):
            raise MobyError(f"container not running or created: {status}")
        container.cgroup.freeze()
    return 0


def _resume(store: Store, arguments: list[str]) -> int:
    with store.locked(_only_id(parse(arguments, {}))) as container:
        if not container.cgroup.frozen():
            raise MobyError("container not paused")
        container.cgroup.thaw()
    return 0


def _update(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.limits import requested_limits

    options = parse(arguments, _UPDATE, {"r": "resources"})
    with store.locked(_only_id(options)) as container:
        container.cgroup.update(requested_limits(options))
    return 0


def _list(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.look import listing

    options = parse(arguments, {"format": "value", "quiet": "flag"}, {"f": "format", "q": "quiet"})
    listing(store, options.get("format", "table"), quiet="quiet" in options)
    return 0


def _ps(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.look import processes

    options = parse(arguments, {"format": "value"}, {"f": "format"})
    if not options.words:
        raise UsageError("a container id is needed")
    processes(store, options.words[0], options.get("format", "table"), options.words[1:])
    return 0


def _spec(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.look import write_spec

    write_spec(parse(arguments, {"bundle": "value"}, {"b": "bundle"}).get("bundle", "."))
    return 0


def _features(store: Store, arguments: list[str]) -> int:
    from moby_tui.oci.look import features

    features()
    return 0


_COMMANDS: dict[str, Callable[[Store, list[str]], int]] = {
    "create": _create,
    "delete": _delete,
    "exec": _exec,
    "features": _features,
    "kill": _kill,
    "list": _list,
    "pause": _pause,
    "ps": _ps,
    "resume": _resume,
    "run": _run,
    "spec": _spec,
    "start": _start,
    "state": _state,
    "update": _update,
}
