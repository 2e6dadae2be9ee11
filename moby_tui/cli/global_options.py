"""What the options before the command mean for this invocation."""

from __future__ import annotations

import os

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moby_tui.api.client.tls import Tls
    from moby_tui.cli.table.root import GlobalOptions, TlsOptions
    from moby_tui.engine_options import EngineOptions

_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


def chosen_tls(options: TlsOptions, folder: str = "") -> Tls | None:
    """What they mean, and the variables that docker reads for them; None: no TLS. ``folder`` is docker's configuration folder."""
    verify = options.tlsverify or bool(os.environ.get("DOCKER_TLS_VERIFY"))
    tls = options.tls or bool(os.environ.get("DOCKER_TLS"))
    return read_tls((options.tlscacert, options.tlscert, options.tlskey), folder, tls=tls, verify=verify)


def read_tls(given: tuple[str, str, str], folder: str, *, tls: bool, verify: bool) -> Tls | None:
    """``given`` are the files of the authority, the certificate and its key, empty for docker's own, which need not be there."""
    if not (tls or verify):
        return None
    from moby_tui.api.client.tls import Tls

    folder = os.path.expanduser(os.environ.get("DOCKER_CERT_PATH") or folder or os.environ.get("DOCKER_CONFIG") or "~/.docker")
    usual = (path if os.path.exists(path := f"{folder}/{name}.pem") else "" for name in ("ca", "cert", "key"))
    authority, certificate, key = (file or other for file, other in zip(given, usual, strict=True))
    return Tls(authority, certificate, key, verify=verify)


def use(options: GlobalOptions) -> None:
    """Makes these the options of this invocation (``session.current``). Raises ``InvalidArgument``."""
    _check(options)
    session.use(
        session.Session(
            options.host,
            choose=lambda: _chosen(options),
            context=options.context,
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
        if _is_from_environment(options, name):
            yield name


def _check(options: GlobalOptions) -> None:
    """Raises ``InvalidArgument``."""
    if options.log_level not in _LOG_LEVELS:
        own = f"invalid --log-level {options.log_level!r}: use {', '.join(_LOG_LEVELS)}"
        raise InvalidArgument(session.phrase(own, f"Unable to parse logging level: {options.log_level}"))
    if options.context and options.host and not _is_from_environment(options, "host"):
        raise InvalidArgument("conflicting options: cannot specify both --host and --context")


def _is_from_environment(options: GlobalOptions, name: str) -> bool:
    return getattr(options, name) in map(os.environ.get, options.declared[name].environment)


def _chosen(options: GlobalOptions) -> tuple[str, Tls | None]:
    """The host, empty for the engine in this process, and how TLS is spoken to it. Raises ``NotFound``, ``InvalidArgument``."""
    if options.host and not options.context:
        return options.host, chosen_tls(options, options.config)
    if not (options.context or os.environ.get("DOCKER_CONTEXT") or has_context_in_use(options.config)):
        return "", None
    from moby_tui import docker_folder
    from moby_tui.contexts import choice
    from moby_tui.contexts.store import Store

    contexts = Store(docker_folder.find(options.config))
    chosen = choice.choose(contexts, options.context or choice.name_of_context(contexts))
    return chosen.host, chosen.tls


def has_context_in_use(folder: str) -> bool:
    """Whether docker's configuration may name one: it is not read any further by a command that needs none."""
    folder = folder or os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(f"{folder}/config.json", "rb") as file:
            return b'"currentContext"' in file.read()
    except OSError:
        return False
