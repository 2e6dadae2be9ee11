"""What flags and ``daemon.json`` say together. The texts are those of dockerd 28.5."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from moby_tui.cli import session
from moby_tui.cli.daemon.directives import DIRECTIVES, OF_THE_DAEMON, OF_THE_ENGINE, ONLY, ONLY_FLAGS, REFUSED, Directive
from moby_tui.cli.daemon.kinds import shown
from moby_tui.cli.table.daemon import DaemonOptions
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet, NotSupported

if TYPE_CHECKING:
    from moby_tui.api.client.tls import Tls

DEFAULT_FILE = Path("/etc/moby/daemon.json")
#: Directives of which flags and file may each name some.
_JOINED = ("runtimes",)
LOG_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
Values = dict[str, Any]


class DaemonConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """``hosts`` may be empty. ``shutdown_timeout`` is in seconds."""

    engine: EngineOptions
    file: Path
    hosts: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    #: by ``http-proxy``, ``https-proxy`` and ``no-proxy``
    proxies: dict[str, str] = {}
    group: str = "moby"
    shutdown_timeout: int = 15
    tls: bool = False
    tlsverify: bool = False
    tlscacert: str = ""
    tlscert: str = ""
    tlskey: str = ""
    log_level: str = "info"
    #: empty: none
    pidfile: str = ""

    @property
    def logging_level(self) -> int:
        """As the module logging has it."""
        return logging.DEBUG if self.engine.debug else LOG_LEVELS[self.log_level]

    def spoken_tls(self) -> Tls | None:
        """What is spoken on TCP sockets; None: no TLS. A file that is not given is docker's own, if it is there."""
        from moby_tui.cli.global_options import read_tls

        folder = str(self.engine.login_folder or "")
        return read_tls((self.tlscacert, self.tlscert, self.tlskey), folder, tls=self.tls, verify=self.tlsverify)

    def reloaded(self, new: DaemonConfiguration) -> DaemonConfiguration:
        """With what a daemon takes over from a ``new`` configuration while it runs."""
        own = {directive.field: getattr(new, directive.field) for directive in OF_THE_DAEMON if directive.reloaded}
        engine = {directive.field: getattr(new.engine, directive.field) for directive in OF_THE_ENGINE if directive.reloaded}
        return msgspec.structs.replace(self, engine=self.engine.replaced(**engine), **own)


def read(options: DaemonOptions, given: session.Session) -> DaemonConfiguration:
    """The configuration by these options, those that stand before the command, and the file. Raises ``MobyError``."""
    from moby_tui.engine.engine import Engine

    file = Path(options.config_file or DEFAULT_FILE).absolute()
    base, flags = _given(options, given)
    _check_only_flags(options)
    try:
        document = _document(file, required=bool(options.config_file))
        _check_keys(document)
        _check_conflicts(flags, document)
        values = {key: _of_file(DIRECTIVES[key], value) for key, value in document.items() if key in DIRECTIVES}
    except (InvalidArgument, NotImplementedYet) as error:
        raise MobyError(f"unable to configure the Docker daemon with file {file}: {error.message}") from error
    for key, value in flags.items():
        read_value = DIRECTIVES[key].kind.of_flag(value)
        values[key] = {**values.get(key, {}), **read_value} if key in _JOINED else read_value
    own = {directive.field: values[directive.key] for directive in OF_THE_DAEMON if directive.key in values}
    engine = base.replaced(**{directive.field: values[directive.key] for directive in OF_THE_ENGINE if directive.key in values})
    configuration = DaemonConfiguration(engine=engine, file=file, **own)
    try:
        if configuration.log_level not in LOG_LEVELS:
            raise InvalidArgument(f"invalid logging level: {configuration.log_level}")
        Engine(engine).check_options()
    except InvalidArgument as error:
        if not document:
            raise
        raise InvalidArgument(
            f"unable to configure the Docker daemon with file {file}: "
            f"merged configuration validation from file and command line flags failed: {error.message}"
        ) from error
    return configuration


def _given(options: DaemonOptions, given: session.Session) -> tuple[EngineOptions, Values]:
    """The options of the engine that stand before the command, and what is given as a flag, by key; a variable gives no flag."""
    base = session.Session(engine=given.engine).engine_options()
    chosen = {key: getattr(options, directive.flag, None) for key, directive in DIRECTIVES.items()}
    proxies = {"http-proxy": options.http_proxy, "https-proxy": options.https_proxy, "no-proxy": options.no_proxy}
    chosen["proxies"] = [f"{name}={value}" for name, value in proxies.items() if value]
    flags = {key: value for key, value in chosen.items() if value not in (None, "", [])}
    for name in ("data_root", "exec_root"):
        if name not in given.preset and (path := getattr(base, name)):
            flags.setdefault(name.replace("_", "-"), str(path))
    if given.debug:
        flags["debug"] = True
    if given.named_host:
        # what the global option names is where this engine listens
        flags.setdefault("hosts", [given.named_host])
    return base, flags


def _document(file: Path, *, required: bool) -> Values:
    try:
        text = file.read_text()
    except FileNotFoundError:
        if not required:
            return {}
        raise InvalidArgument(f"open {file}: no such file or directory") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"open {file}: {getattr(error, 'strerror', '') or error}") from None
    try:
        document = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"invalid JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidArgument("invalid JSON: the file must hold one object")
    return {key: value for key, value in document.items() if value is not None}


def _check_keys(document: Values) -> None:
    unknown = sorted(set(document) - DIRECTIVES.keys() - ONLY.keys() - REFUSED.keys())
    flags = {directive.flag.replace("_", "-"): key for key, directive in DIRECTIVES.items()}
    if unknown:
        hints = [f"the key for --{name} is {flags[name]}" for name in unknown if name in flags]
        message = "the following directives don't match any configuration option: " + ", ".join(unknown)
        raise InvalidArgument("; ".join([message, *hints]))
    for key, value in document.items():
        if key in REFUSED:
            raise NotSupported(f"{key} cannot be set: {REFUSED[key]}")
        _check_only(key, value)


def _check_only(key: str, value: Any) -> None:
    if key in ONLY and value not in ONLY[key]:
        raise NotImplementedYet(f"{key} other than {' or '.join(map(json.dumps, ONLY[key]))}")


def _check_only_flags(options: DaemonOptions) -> None:
    """Raises ``NotImplementedYet`` for a flag that asks for another way than the engine's."""
    for key, flag in ONLY_FLAGS.items():
        value = getattr(options, flag)
        if key == "features":
            value = {name: text != "false" for name, _, text in (entry.partition("=") for entry in value)} or None
        if value not in (None, "", [], ()):
            _check_only(key, list(value) if isinstance(value, tuple) else value)


def _check_conflicts(flags: Values, document: Values) -> None:
    conflicts = [
        f"{key}: (from flag: {shown(flags[key])}, from file: {shown(document[key])})"
        for key in sorted(flags.keys() & document.keys())
        if key not in _JOINED
    ]
    if conflicts:
        message = "the following directives are specified both as a flag and in the configuration file: "
        raise InvalidArgument(message + ", ".join(conflicts))


def _of_file(directive: Directive, value: Any) -> Any:
    try:
        return directive.kind.of_json(value)
    except TypeError:
        raise InvalidArgument(
            f"invalid JSON: {directive.key} takes {directive.kind.told}, not {json.dumps(value)[:200]}"
        ) from None
    except InvalidArgument as error:
        raise InvalidArgument(f"invalid JSON: {directive.key}: {error.message}") from error
