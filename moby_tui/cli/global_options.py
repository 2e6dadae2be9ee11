"""The options that stand before the command (``moby --data-root /srv ps``), and what they mean for this invocation."""

from __future__ import annotations

import os

from moby_tui.cli import session
from moby_tui.cli.declare import Options, many, switch, value
from moby_tui.errors import InvalidArgument, NotImplementedYet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moby_tui.engine_options import EngineOptions

_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


class GlobalOptions(Options):
    """The global options, as ``quick`` and Typer read them."""

    host: str = value(
        "-H",
        "--host",
        environment=("MOBY_HOST", "DOCKER_HOST"),
        help="Engine to talk to (unix://, tcp://); none: the engine in this process",
    )
    data_root: str = value(
        "--data-root",
        environment=("MOBY_DATA_ROOT",),
        metavar="path",
        help="Where images, containers and volumes are kept  [default: /var/lib/moby]",
    )
    exec_root: str = value(
        "--exec-root",
        environment=("MOBY_EXEC_ROOT",),
        metavar="path",
        help="Where the state of running containers is kept  [default: /run/moby]",
    )
    hooks_dir: list[str] = many(
        "--hooks-dir", metavar="path", help="Folder of OCI hook files for the containers that this engine starts"
    )
    signature_policy: str = value(
        "--signature-policy",
        environment=("MOBY_SIGNATURE_POLICY",),
        metavar="path",
        help="File that says which images may be pulled  [default: /etc/moby/policy.json]",
    )
    debug: bool = switch("-D", "--debug", help="Show where an error comes from")
    config: str = value(
        "--config", environment=("DOCKER_CONFIG",), metavar="path", help="Folder of the logins  [default: ~/.docker]"
    )
    context: str = value("-c", "--context", help="Only 'default': the engine of --host, or the one in this process")
    log_level: str = value("-l", "--log-level", default="info", help="Accepted as docker's: debug, info, warn, error or fatal")
    tls: bool = switch("--tls", help="Not implemented yet")
    tlsverify: bool = switch("--tlsverify", help="Not implemented yet")
    tlscacert: str = value("--tlscacert", metavar="path", help="Not implemented yet")
    tlscert: str = value("--tlscert", metavar="path", help="Not implemented yet")
    tlskey: str = value("--tlskey", metavar="path", help="Not implemented yet")


def use(options: GlobalOptions) -> None:
    """Makes these the options of this invocation (``session.current``). Raises ``InvalidArgument`` or ``NotImplementedYet``."""
    _check(options)
    session.use(
        session.Session(
            options.host,
            debug=options.debug,
            login_folder=options.config,
            engine=lambda: _engine_options(options),
            preset=_preset(options),
        )
    )


def _engine_options(options: GlobalOptions) -> EngineOptions:
    from pathlib import Path

    from moby_tui.engine_options import EngineOptions

    return EngineOptions(
        data_root=_path(options.data_root),
        exec_root=_path(options.exec_root),
        hooks_dirs=tuple(map(Path, options.hooks_dir)),
        signature_policy=_path(options.signature_policy),
        login_folder=_path(options.config),
    )


def _path(text: str) -> Path | None:
    from pathlib import Path

    return Path(text) if text else None


def _preset(options: GlobalOptions) -> Iterator[str]:
    """The fields of ``EngineOptions`` that another engine may be asked for without them.

    The logins are read by this process for it. A signature policy is demanded, wherever it comes from."""
    yield "login_folder"
    for name in ("data_root", "exec_root"):
        if getattr(options, name) in map(os.environ.get, options.declared[name].environment):
            yield name


def _check(options: GlobalOptions) -> None:
    """Refuses what docker's command line has and this one does not."""
    if options.log_level not in _LOG_LEVELS:
        raise InvalidArgument(f"invalid --log-level {options.log_level!r}: use {', '.join(_LOG_LEVELS)}")
    if options.context not in ("", "default"):
        raise InvalidArgument(f"context {options.context!r} does not exist: there are no contexts, name the engine with --host")
    for name in ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey"):
        if getattr(options, name):
            raise NotImplementedYet(f"option --{name}")
