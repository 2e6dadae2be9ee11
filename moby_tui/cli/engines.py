"""The engines that a person may name while the dashboard runs: docker's contexts, and hosts as ``-H`` takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from moby_tui import docker_folder
from moby_tui.api.client.connect import connect
from moby_tui.api.client.protocol import Client
from moby_tui.cli import session
from moby_tui.contexts import choice
from moby_tui.contexts.store import DEFAULT, Store
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden


class NamedEngines:
    """``default`` is the engine in this process."""

    def __init__(self) -> None:
        self._contexts = Store(docker_folder.find(session.current().login_folder))

    def names(self) -> Sequence[tuple[str, str]]:
        """The contexts with their hosts; one that is damaged is left out."""
        names = [(DEFAULT, "the engine in this process")]
        for context in self._contexts.list():
            endpoint = context.endpoints.get("docker", {})
            names.append((context.name, str(endpoint.get("Host", ""))))
        return names

    def factory(self, name: str) -> Callable[[], AbstractAsyncContextManager[Client]]:
        """Raises ``NotFound``, ``InvalidArgument``, and ``Forbidden`` for the engine in this process without root."""
        if "://" in name:
            return partial(connect, name)
        chosen = choice.choose(self._contexts, name)
        if chosen.host:
            return partial(connect, chosen.host, tls=chosen.tls)
        if os.geteuid() != 0:
            raise Forbidden("the engine in this process needs root: start the dashboard with sudo, or name another engine")
        options = session.current().engine
        return partial(connect, options=options() if options else EngineOptions())
