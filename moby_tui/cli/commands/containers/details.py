"""What looks into one container: top, port, diff."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import NotFound

app = typer.Typer()

Ref = Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)]
_KINDS = "CAD"


@app.command("top", context_settings={"allow_interspersed_args": False})
def top(
    container: Ref,
    ps_options: Annotated[list[str] | None, typer.Argument(metavar="[ps OPTIONS]", show_default=False)] = None,
) -> None:
    """Display the running processes of a container."""
    from moby_tui.cli.output.table import align
    from moby_tui.cli.output.text import printable

    ps_args = " ".join(ps_options or ["-ef"])
    processes = session.call(lambda client: client.containers.top(container, ps_args))
    for line in align([processes.titles, *processes.processes]):
        print(printable(line))


@app.command("port")
def port(
    container: Ref,
    private: Annotated[str, typer.Argument(metavar="[PRIVATE_PORT[/PROTO]]", show_default=False)] = "",
) -> None:
    """List port mappings or a specific mapping for the container."""
    ports = session.call(lambda client: client.containers.inspect(container)).network_settings.ports
    if private:
        wanted = private if "/" in private else f"{private}/tcp"
        if not ports.get(wanted):
            raise NotFound(f"no public port {wanted!r} published for {container}")
        for binding in ports[wanted] or []:
            print(_bound(binding.host_ip, binding.host_port))
        return
    for inside, bindings in sorted(ports.items(), key=lambda item: (int(item[0].partition("/")[0]), item[0])):
        for binding in bindings or []:
            print(f"{inside} -> {_bound(binding.host_ip, binding.host_port)}")


def _bound(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@app.command("diff")
def diff(container: Ref) -> None:
    """Inspect changes to files or directories on a container's filesystem (C changed, A added, D deleted)."""
    from moby_tui.cli.output.text import printable

    for change in session.call(lambda client: client.containers.changes(container)):
        print(_KINDS[change.kind], printable(change.path))
