"""``moby daemon``: the engine behind a socket."""

from __future__ import annotations

import sys

from moby_tui.cli import session
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.errors import MobyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.api.server.listen import Listener
    from moby_tui.cli.daemon.configuration import DaemonConfiguration
    from moby_tui.cli.table.daemon import DaemonOptions
    from moby_tui.engine.engine import Engine

#: Between two looks at whether the database has changed.
_BACKUP_SECONDS = 600.0
_DEFAULT_SOCKET = "/run/moby.sock"


def daemon(options: DaemonOptions) -> None:
    """``moby daemon``."""
    import logging
    import signal

    from moby_tui.cli.daemon import configuration, pidfile

    given = session.current()
    chosen = configuration.read(options, given)
    if options.validate:
        print("configuration OK", file=sys.stderr)
        return
    engine = chosen.engine
    session.use(session.Session(debug=engine.debug, login_folder=given.login_folder, engine=lambda: engine))
    logging.basicConfig(level=chosen.logging_level, format="%(levelname)s %(name)s: %(message)s")

    _set_proxies(chosen.proxies)

    def read() -> DaemonConfiguration:
        return configuration.read(options, given)

    # until there is somebody to read the file again
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with pidfile.held(chosen.pidfile):
        session.call(lambda client: _serve(client, chosen, read))


def _set_proxies(proxies: dict[str, str]) -> None:
    """As the variables of the environment by which registries, contexts and git are reached; what is not set stays, as with dockerd."""
    import os

    for name, address in proxies.items():
        variable = name.replace("-", "_")
        os.environ[variable] = os.environ[variable.upper()] = address


async def _serve(client: Client, chosen: DaemonConfiguration, read: Callable[[], DaemonConfiguration]) -> None:
    import asyncio

    from moby_tui.api.server.serve import serve
    from moby_tui.engine.engine import Engine
    from moby_tui.engine.system import check_caller, socket_group

    gid = socket_group(chosen.group)
    assert isinstance(client, Engine)
    client.system.protect_daemon()
    await client.settle_default_network()
    await client.containers.restore()
    collect_as_usual()
    backing_up = asyncio.create_task(_back_up(client))
    running = _Running(client, chosen, read)
    fallback = f"unix://{chosen.engine.exec_root}/moby.sock" if chosen.engine.exec_root else f"unix://{_DEFAULT_SOCKET}"
    try:
        await serve(
            client,
            [*chosen.hosts] or [fallback],
            _announce,
            authorize=lambda peer: check_caller(peer.uid, peer.gid, gid),
            group=gid,
            names=chosen.allowed_hosts,
            reload=running.reload,
            tls=chosen.spoken_tls(),
        )
    finally:
        backing_up.cancel()
    if not client.options.live_restore:
        await client.containers.shut_down(running.configuration.shutdown_timeout)


class _Running:
    """The configuration of a daemon that runs."""

    def __init__(self, engine: Engine, configuration: DaemonConfiguration, read: Callable[[], DaemonConfiguration]) -> None:
        """``read`` reads what is configured now, and raises ``MobyError``."""
        self._engine, self.configuration, self._read = engine, configuration, read

    def reload(self) -> None:
        """Reads the file again, and takes over what can change while the daemon runs. Tells in the log what is wrong, and keeps all then."""
        import logging

        log = logging.getLogger(__name__)
        log.info("Got signal to reload configuration: %s", self.configuration.file)
        try:
            new = self.configuration.reloaded(self._read())
            self._engine.configure(new.engine)
        except MobyError as error:
            log.error("Error reloading configuration: %s", error.message)
            return
        self.configuration = new
        logging.getLogger().setLevel(new.logging_level)
        self._engine.tell_reload(**{"shutdown-timeout": str(new.shutdown_timeout)})
        log.info("Reloaded configuration")


async def _back_up(engine: Engine) -> None:
    """A daemon may run for months: the database is not backed up at its start alone."""
    import asyncio

    while True:
        await asyncio.sleep(_BACKUP_SECONDS)
        engine.back_up()


def _announce(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        print(f"API listening on {listener.address}", flush=True)
