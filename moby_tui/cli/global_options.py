"""The options that come before the command: which engine is meant, and what holds for every command."""

from __future__ import annotations

import os

from moby_tui.cli import session
from moby_tui.cli.declare import Options, many, switch, value
from moby_tui.errors import InvalidArgument, NotImplementedYet

_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


class GlobalOptions(Options):
    """What comes before the command."""

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
    """Makes them this invocation's. Raises ``InvalidArgument`` or ``NotImplementedYet``."""
    _check(options)
    if options.config:
        # where logins are looked for, by this process and by credential helpers
        os.environ["DOCKER_CONFIG"] = options.config
    chosen = session.Session(host=options.host, data_root=options.data_root, exec_root=options.exec_root, debug=options.debug)
    chosen.hooks_dirs = options.hooks_dir
    chosen.signature_policy = options.signature_policy
    session.use(chosen)


def _check(options: GlobalOptions) -> None:
    """Refuses what docker's command line has and this one does not."""
    if options.log_level not in _LOG_LEVELS:
        raise InvalidArgument(f"invalid --log-level {options.log_level!r}: use {', '.join(_LOG_LEVELS)}")
    if options.context not in ("", "default"):
        raise InvalidArgument(f"context {options.context!r} does not exist: there are no contexts, name the engine with --host")
    for name in ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey"):
        if getattr(options, name):
            raise NotImplementedYet(f"option --{name}")
