"""Which engine a command is for: what stands before the command, then the environment, then the context in use. As docker chooses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from moby_tui import docker_folder
from moby_tui.contexts.store import DEFAULT, Store
from moby_tui.errors import NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.tls import Tls


class Choice(NamedTuple):
    """``host`` is empty for the engine in this process. ``context`` is the name that was chosen, ``default`` for none."""

    host: str = ""
    tls: Tls | None = None
    context: str = DEFAULT


def name_of_context(contexts: Store) -> str:
    """``DOCKER_CONTEXT``, or the one in use; ``default`` for none. Raises ``NotFound`` if the one in use is gone."""
    if name := os.environ.get("DOCKER_CONTEXT"):
        return name
    name = contexts.current()
    if name and name != DEFAULT and not contexts.has(name):
        raise NotFound(
            f'current context "{name}" is not found on the file system, please check your config file at '
            f"{contexts.folder / 'config.json'}: `moby context use default` leaves it"
        )
    return name or DEFAULT


def name_in_use(folder: str, context: str, host: str) -> str:
    """The context of a command line with these values of ``--config``, ``--context`` and ``--host``; one that is gone is named too."""
    if context or host:
        return context or DEFAULT
    return os.environ.get("DOCKER_CONTEXT") or Store(docker_folder.find(folder)).current() or DEFAULT


def choose(contexts: Store, name: str) -> Choice:
    """The engine of a context. Raises ``NotFound``, ``InvalidArgument``."""
    if name == DEFAULT:
        return Choice()
    context = contexts.get(name)
    endpoint = context.endpoint
    files = {file: str(path) for file, path in contexts.tls_files(name).items()}
    tls = None
    if files or endpoint.skip_tls_verify:
        from moby_tui.api.client.tls import Tls

        tls = Tls(
            files.get("ca.pem", ""), files.get("cert.pem", ""), files.get("key.pem", ""), verify=not endpoint.skip_tls_verify
        )
    return Choice(endpoint.host, tls, name)
