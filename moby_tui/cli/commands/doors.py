"""The other doors: ``moby daemon`` and ``moby tui``."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.api.client.protocol import Client
    from moby_tui.api.server.listen import Listener

app = typer.Typer()

_DEFAULT_SOCKET = "/run/moby.sock"
#: CPython's gc.set_threshold(), which ``moby_tui.__main__`` has raised.
_INTERPRETERS_OWN = (700, 10, 10)


@app.command(
    "daemon",
    epilog="""\b
Examples:
  moby daemon -H unix:///run/moby.sock
  DOCKER_HOST=unix:///run/moby.sock docker ps
""",
)
def daemon(
    host: Annotated[
        list[str] | None,
        typer.Option("-H", "--host", help="Socket to serve on: unix://, tcp://, fd:// (may come several times)", metavar="list"),
    ] = None,
    data_root: Annotated[
        str, typer.Option("--data-root", help="Where images, containers and volumes are kept", metavar="path")
    ] = "",
    exec_root: Annotated[
        str, typer.Option("--exec-root", help="Where the state of running containers is kept", metavar="path")
    ] = "",
    group: Annotated[
        str, typer.Option("-G", "--group", help="Group whose members may use the unix socket", metavar="string")
    ] = "moby",
    debug: Annotated[bool, typer.Option("-D", "--debug", help="Log what is asked and answered")] = False,
    live_restore: Annotated[
        bool, typer.Option("--live-restore/--no-live-restore", help="Let containers live on when the daemon ends")
    ] = True,
    shutdown_timeout: Annotated[
        int,
        typer.Option(
            help="Without live restore, seconds to let containers without a stop timeout of their own end", metavar="int"
        ),
    ] = 15,
    add_runtime: Annotated[
        list[str] | None,
        typer.Option(help="Register another OCI runtime: name=path (may come several times)", metavar="runtime"),
    ] = None,
    userns_remap: Annotated[
        str,
        typer.Option(
            help="Run containers in a user namespace, with the ids of this user in /etc/subuid: default or user[:group]",
            metavar="string",
        ),
    ] = "",
    default_runtime: Annotated[str, typer.Option(help="Runtime of containers that name none", metavar="string")] = "moby",
) -> None:
    """Serve the Docker Engine API on a socket, until SIGTERM or SIGINT; containers live on.

    Containers that ended with the machine or the last daemon are started first, where their restart policy says so.
    """
    import logging

    given = session.current()
    chosen = session.Session(
        data_root=data_root or given.data_root, exec_root=exec_root or given.exec_root, debug=debug or given.debug
    )
    chosen.hooks_dirs, chosen.signature_policy = given.hooks_dirs, given.signature_policy
    session.use(chosen)
    logging.basicConfig(level=logging.DEBUG if chosen.debug else logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    fallback = f"unix://{chosen.exec_root}/moby.sock" if chosen.exec_root else f"unix://{_DEFAULT_SOCKET}"
    hosts = host or ([given.host] if given.host else [fallback])
    runtimes = _runtimes(add_runtime or [])
    stop_after = None if live_restore else shutdown_timeout
    session.call(lambda client: _serve(client, hosts, group, stop_after, runtimes, default_runtime, userns_remap))


def _runtimes(given: list[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise typer.BadParameter(f"{name}: give it as name=path", param_hint="--add-runtime")
    return {name: path for name, _, path in pairs}


async def _serve(
    client: Client,
    hosts: list[str],
    group: str,
    stop_after: int | None,
    runtimes: dict[str, str],
    default_runtime: str,
    userns_remap: str,
) -> None:
    """``stop_after``: the seconds that the containers have to end when the daemon does; None where they live on."""
    from moby_tui.api.server.serve import serve
    from moby_tui.engine.engine import Engine, check_caller, socket_group

    gid = socket_group(group)
    assert isinstance(client, Engine)
    for name, path in runtimes.items():
        client.runtimes.add(name, path)
    client.runtimes.default = default_runtime
    client.remap.set(userns_remap)
    client.system.live_restore = stop_after is None
    await client.containers.restore()
    _tidy_from_now_on()
    await serve(client, hosts, _announce, authorize=lambda peer: check_caller(peer.uid, peer.gid, gid), group=gid)
    if stop_after is not None:
        await client.containers.shut_down(stop_after)


def _tidy_from_now_on() -> None:
    """Collects garbage as often as an interpreter does by itself: a command puts it off, and what serves for months must not.

    What has been imported by then is never garbage, and not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_INTERPRETERS_OWN)


def _announce(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        print(f"API listening on {listener.address}", flush=True)


@app.command("tui")
def tui() -> None:
    """Open the dashboard."""
    session.require_root()
    from pathlib import Path

    from moby_tui.screens.app import run

    _tidy_from_now_on()
    given = session.current()
    run(given.host, Path(given.data_root) if given.data_root else None, Path(given.exec_root) if given.exec_root else None)
