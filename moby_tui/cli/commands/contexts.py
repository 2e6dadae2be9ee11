"""Contexts, in docker's own files: ls, create, update, use, show, inspect, export, import, rm."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from moby_tui import docker_folder
from moby_tui.cli import session
from moby_tui.contexts.store import DEFAULT, Context, Endpoint, Store
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound

if TYPE_CHECKING:
    from typing import BinaryIO

    from moby_tui.cli.table.contexts import ContextCreateOptions, ContextLsOptions, ContextRmOptions, ContextUpdateOptions
    from moby_tui.cli.table.declare import FormatOptions, Options


_HEADINGS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "DockerEndpoint": "DOCKER ENDPOINT",
    "Error": "ERROR",
    "Current": "CURRENT",
}
#: What docker says of the context that is none.
_DESCRIPTION = "Current DOCKER_HOST based configuration"
_IN_PROCESS = "the engine in this process"
#: What ``--docker`` knows.
_KEYS = ("host", "ca", "cert", "key", "skip-tls-verify", "from")
_FILES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
_IN_MEMORY = "<IN MEMORY>"


def _contexts() -> Store:
    return Store(docker_folder.find(session.current().login_folder))


def _default_host() -> str:
    return os.environ.get("MOBY_HOST") or os.environ.get("DOCKER_HOST") or ""


def _in_use() -> str:
    from moby_tui.contexts.choice import name_in_use

    current = session.current()
    return name_in_use(current.login_folder, current.context, current.named_host)


def _warn_of_host(context: str = "a context") -> None:
    if os.environ.get("DOCKER_HOST"):
        print(
            f"Warning: DOCKER_HOST environment variable overrides the active context. To use {context}, either set the global "
            "--context flag, or unset DOCKER_HOST environment variable.",
            file=sys.stderr,
        )


def ls(options: ContextLsOptions) -> None:
    """``moby context ls``."""
    from moby_tui.cli.output.table import formatted

    contexts = _contexts()
    current = _in_use()
    rows: list[dict[str, Any]] = [_row(DEFAULT, _DESCRIPTION, _default_host() or _IN_PROCESS, current)]
    for context in contexts.list():
        error = host = ""
        try:
            host = context.endpoint.host
        except InvalidArgument as failed:
            error = failed.message
        rows.append(_row(context.name, context.description, host, current, error))
    if current not in (row["Name"] for row in rows):
        rows.append(_row(current, "", "", current, "context not found"))
    if options.quiet:
        print("\n".join(row["Name"] for row in rows))
        _warn_of_host()
        return
    if options.format in ("", "table"):
        rows = [{**row, "Name": row["Name"] + " *" if row["Current"] else row["Name"]} for row in rows]
    for line in formatted(
        options.format,
        _HEADINGS,
        ("Name", "Description", "DockerEndpoint", "Error"),
        rows,
        kind="*formatter.clientContextContext",
    ):
        print(line)
    _warn_of_host()


def _row(name: str, description: str, host: str, current: str, error: str = "") -> dict[str, Any]:
    return {"Current": name == current, "Name": name, "Description": description, "DockerEndpoint": host, "Error": error}


def show(options: Options) -> None:
    """``moby context show``."""
    print(_in_use())


def use(options: Options, name: str) -> None:
    """``moby context use``."""
    _contexts().use(name)
    print(name)
    print(f'Current context is now "{name}"', file=sys.stderr)
    if name != DEFAULT:
        _warn_of_host(f'"{name}"')


def create(options: ContextCreateOptions, name: str) -> None:
    """``moby context create``."""
    contexts = _contexts()
    contexts.require_new(name)
    if options.source and options.docker:
        raise InvalidArgument("cannot use --docker flag when --from is set")
    source = "" if options.docker else options.source or DEFAULT
    metadata = {"Description": _DESCRIPTION} if source == DEFAULT else dict(contexts.get(source).metadata) if source else {}
    endpoint, tls = _read_endpoint(contexts, options.docker or f"from={source}")
    if options.description:
        metadata["Description"] = options.description
    contexts.create(Context(name=name, metadata=metadata, endpoints={"docker": endpoint}), tls or {})
    print(name)
    print(f'Successfully created context "{name}"', file=sys.stderr)


def update(options: ContextUpdateOptions, name: str) -> None:
    """``moby context update``."""
    contexts = _contexts()
    context, tls = contexts.get(name), None
    if options.description:
        context.metadata["Description"] = options.description
    if options.docker:
        context.endpoints["docker"], tls = _read_endpoint(contexts, options.docker)
    contexts.write(context, tls)
    print(name)
    print(f'Successfully updated context "{name}"', file=sys.stderr)


def _read_endpoint(contexts: Store, text: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The endpoint that ``--docker`` describes, and its TLS files. Raises ``InvalidArgument``, ``NotFound`` for ``from=``."""
    values = dict(part.partition("=")[::2] for part in text.split(",") if part)
    for key in values:
        if key not in _KEYS:
            raise InvalidArgument(f"unable to create docker endpoint config: unrecognized config key: {key}")
    if source := values.get("from"):
        if source == DEFAULT:
            return _endpoint(_default_host() or "unix:///run/moby.sock", skip=False), {}
        try:
            origin = contexts.get(source)
        except NotFound as error:
            raise NotFound(f"unable to create docker endpoint config: {error.message}") from None
        return dict(origin.endpoints.get("docker") or {}), {
            key: path.read_bytes() for key, path in contexts.tls_files(source).items()
        }
    from moby_tui.api.client.address import parse_host

    host = values.get("host", "")
    parse_host(host)
    tls = {_FILES[key]: _read_file(key, values[key]) for key in _FILES if values.get(key)}
    skip = values.get("skip-tls-verify", "false").lower()
    if skip not in ("true", "false", "1", "0"):
        raise InvalidArgument(f"unable to create docker endpoint config: skip-tls-verify: {skip!r} is neither true nor false")
    return _endpoint(host, skip=skip in ("true", "1")), tls


def _endpoint(host: str, *, skip: bool) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(Endpoint(host, skip))
    return document


def _read_file(key: str, path: str) -> bytes:
    """Raises ``InvalidArgument`` for a file that holds no certificate or key, as docker does."""
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    if b"-----BEGIN " not in data:
        raise InvalidArgument(f"{key}: {path} seems invalid: it must be in PEM format")
    return data


def inspect(options: FormatOptions, names: list[str]) -> int:
    """``moby context inspect``."""
    from moby_tui.cli.output.objects import show_list

    contexts = _contexts()
    documents: list[object] = []
    for name in names or [_in_use()]:
        try:
            documents.append(_details(contexts, name))
        except MobyError as error:
            documents.append(error)
    return show_list(documents, options.format, marshalled=True)


def _details(contexts: Store, name: str) -> dict[str, Any]:
    if name == DEFAULT:
        context, files = _default(), {}
        paths = (_IN_MEMORY, _IN_MEMORY)
    else:
        context, files = contexts.get(name), contexts.tls_files(name)
        paths = (str(contexts.metadata_folder(name)), str(contexts.tls_folder(name)))
    return {
        "Name": context.name,
        "Metadata": context.metadata,
        "Endpoints": context.endpoints,
        "TLSMaterial": {"docker": sorted(files)} if files else {},
        "Storage": {"MetadataPath": paths[0], "TLSPath": paths[1]},
    }


def rm(options: ContextRmOptions, names: list[str]) -> int:
    """``moby context rm``."""
    contexts, status = _contexts(), 0
    for name in names:
        try:
            _remove(contexts, name, force=options.force, dry_run=options.dry_run)
        except MobyError as error:
            session.tell(error)
            status = 1
        else:
            if not options.dry_run:
                print(name)
    return status


def _remove(contexts: Store, name: str, *, force: bool, dry_run: bool) -> None:
    if name == DEFAULT:
        raise InvalidArgument(f'context "{DEFAULT}" cannot be removed')
    if force and not contexts.has(name):
        return
    used = contexts.current() == name
    if used and not force:
        raise Conflict(f'context "{name}" is in use, set -f flag to force remove')
    if dry_run:
        contexts.require(name)
        print(f"Would remove context {name}")
        return
    contexts.remove(name)
    if used:
        contexts.use(DEFAULT)


def _default() -> Context:
    return Context(name=DEFAULT, endpoints={"docker": _endpoint(_default_host(), skip=False)})


def _export(contexts: Store, name: str, out: BinaryIO) -> None:
    from moby_tui.contexts import archive
    from moby_tui.contexts.store import encode

    if name == DEFAULT:
        archive.write(encode(_default()), {}, out)
    else:
        archive.export(contexts, name, out)


def export(options: Options, name: str, file: str) -> None:
    """``moby context export``."""
    if file == "-":
        if sys.stdout.isatty():
            raise InvalidArgument("cowardly refusing to export to a terminal, specify a file path")
        _export(_contexts(), name, sys.stdout.buffer)
        return
    path = file or f"{name}.dockercontext"
    contexts = _contexts()
    if name != DEFAULT:
        contexts.get(name)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            _export(contexts, name, out)
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    print(f'Written file "{path}"', file=sys.stderr)


def import_(options: Options, name: str, file: str) -> None:
    """``moby context import``."""
    if file == "-":
        _import(name, sys.stdin.buffer)
    else:
        try:
            with open(file, "rb") as source:
                _import(name, source)
        except OSError as error:
            raise InvalidArgument(f"open {file}: {(error.strerror or str(error)).lower()}") from None
    print(name)
    print(f'Successfully imported context "{name}"', file=sys.stderr)


def _import(name: str, source: BinaryIO) -> None:
    from moby_tui.contexts import archive

    context, tls = archive.read(name, source)
    _contexts().create(context, tls)
