"""``moby daemon``: the engine behind a socket."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.cli.declare import Options, command, many, switch, value
from moby_tui.cli.garbage import collect_as_usual
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from moby_tui.api.client.protocol import Client
    from moby_tui.api.server.listen import Listener
    from moby_tui.engine.engine import Engine
    from moby_tui.engine_options import EngineOptions
    from moby_tui.schema.system import AddressPool

#: Between two looks at whether the database has changed.
_BACKUP_SECONDS = 600.0
_DEFAULT_SOCKET = "/run/moby.sock"


class DaemonOptions(Options):
    host: list[str] = many("-H", "--host", help="Socket to serve on: unix://, tcp://, fd:// (may come several times)")
    data_root: str = value("--data-root", help="Where images, containers and volumes are kept", metavar="path")
    exec_root: str = value("--exec-root", help="Where the state of running containers is kept", metavar="path")
    group: str = value("-G", "--group", help="Group whose members may use the unix socket", default="moby")
    debug: bool = switch("-D", "--debug", help="Log what is asked and answered")
    live_restore: bool = switch(
        "--live-restore/--no-live-restore", help="Let containers live on when the daemon ends", default=True
    )
    shutdown_timeout: int = value(
        "--shutdown-timeout",
        help="Without live restore, seconds to let containers without a stop timeout of their own end",
        default=15,
        metavar="int",
    )
    add_runtime: list[str] = many(
        "--add-runtime", help="Register another OCI runtime: name=path (may come several times)", metavar="runtime"
    )
    userns_remap: str = value(
        "--userns-remap",
        help="Run containers in a user namespace, with the ids of this user in /etc/subuid: default or user[:group]",
    )
    allowed_host: list[str] = many(
        "--allowed-host",
        help="Name that clients may call a tcp:// socket by, beside its address and localhost (may come several times)",
        metavar="name",
    )
    default_address_pool: list[str] = many(
        "--default-address-pool",
        help="Where networks get their subnets: base=10.10.0.0/16,size=24 (may come several times)",
        metavar="pool-options",
    )
    default_runtime: str = value("--default-runtime", help="Runtime of containers that name none", default="moby")


@command(
    "daemon",
    DaemonOptions,
    epilog="""\b
Examples:
  moby daemon -H unix:///run/moby.sock
  DOCKER_HOST=unix:///run/moby.sock docker ps
""",
)
def daemon(options: DaemonOptions) -> None:
    """Serve the Docker Engine API on a socket, until SIGTERM or SIGINT; containers live on.

    Containers that ended with the machine or the last daemon are started first, where their restart policy says so.
    """
    import logging

    given = session.current()
    debug = options.debug or given.debug
    hosts = options.host or ([given.host] if given.host else [])
    # what the global option names is where this engine listens
    session.use(session.Session(debug=debug, login_folder=given.login_folder, engine=given.engine))
    engine = _engine_options(options, session.current().engine_options())
    session.use(session.Session(debug=debug, login_folder=given.login_folder, engine=lambda: engine))
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    fallback = f"unix://{engine.exec_root}/moby.sock" if engine.exec_root else f"unix://{_DEFAULT_SOCKET}"
    session.call(lambda client: _serve(client, hosts or [fallback], options))


def _engine_options(options: DaemonOptions, given: EngineOptions) -> EngineOptions:
    """What the daemon's own options say of its engine, over those that stand before the command. Raises ``InvalidArgument``."""
    chosen: dict[str, Any] = {
        "data_root": options.data_root,
        "exec_root": options.exec_root,
        "runtimes": _runtimes(options.add_runtime),
        "default_runtime": options.default_runtime,
        "userns_remap": options.userns_remap,
        "default_address_pools": tuple(map(_address_pool, options.default_address_pool)),
    }
    return given.replaced(live_restore=options.live_restore, **{name: value for name, value in chosen.items() if value})


def _address_pool(text: str) -> AddressPool:
    from moby_tui.schema.system import AddressPool

    fields = dict(part.partition("=")[::2] for part in text.split(","))
    try:
        pool = AddressPool(base=fields.pop("base"), size=int(fields.pop("size")))
    except (KeyError, ValueError) as error:
        raise InvalidArgument(f"invalid address pool {text!r}; write it as base=10.10.0.0/16,size=24") from error
    if fields:
        raise InvalidArgument(f"invalid address pool {text!r}; write it as base=10.10.0.0/16,size=24")
    return pool


def _runtimes(given: list[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise InvalidArgument(f"invalid value for --add-runtime: {name}: give it as name=path")
    return {name: path for name, _, path in pairs}


async def _serve(client: Client, hosts: list[str], options: DaemonOptions) -> None:
    import asyncio

    from moby_tui.api.server.serve import serve
    from moby_tui.engine.engine import Engine
    from moby_tui.engine.system import check_caller, socket_group

    gid = socket_group(options.group)
    assert isinstance(client, Engine)
    client.system.protect_daemon()
    await client.containers.restore()
    collect_as_usual()
    backing_up = asyncio.create_task(_back_up(client))
    try:
        await serve(
            client,
            hosts,
            _announce,
            authorize=lambda peer: check_caller(peer.uid, peer.gid, gid),
            group=gid,
            names=options.allowed_host,
        )
    finally:
        backing_up.cancel()
    if not options.live_restore:
        await client.containers.shut_down(options.shutdown_timeout)


async def _back_up(engine: Engine) -> None:
    """A daemon may run for months: the database is not backed up at its start alone."""
    import asyncio

    while True:
        await asyncio.sleep(_BACKUP_SECONDS)
        engine.back_up()


def _announce(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        print(f"API listening on {listener.address}", flush=True)
