"""What looks into one container: top, port, diff."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.declare import Options


_KINDS = "CAD"


def top(options: Options, container: str, ps_options: list[str]) -> None:
    """``moby top``."""
    from moby_tui.cli.output.table import align
    from moby_tui.cli.output.text import printable

    ps_args = " ".join(ps_options or ["-ef"])
    processes = session.call(lambda client: client.containers.top(container, ps_args))
    for line in align([processes.titles, *processes.processes]):
        print(printable(line))


def port(options: Options, container: str, private: str) -> None:
    """``moby port``."""
    session.require_name(container)
    ports = session.call(lambda client: client.containers.inspect(container)).network_settings.ports
    if private:
        wanted = private if "/" in private else f"{private}/tcp"
        if not ports.get(wanted):
            raise NotFound(session.phrase(f"No public port {wanted!r} published for {container}", _missing(private, container)))
        for binding in ports[wanted] or []:
            print(_bound(binding.host_ip, binding.host_port))
        return
    for inside, bindings in sorted(ports.items(), key=lambda item: (int(item[0].partition("/")[0]), item[0])):
        for binding in bindings or []:
            print(f"{inside} -> {_bound(binding.host_ip, binding.host_port)}")


def _missing(private: str, container: str) -> str:
    """What docker says of a port that is not published, or is none."""
    from moby_tui.cli.docker.values import number

    port = private.partition("/")[0]
    try:
        number(port, 16, signed=False)
    except ValueError as error:
        return f"Error: invalid port ({port}): {error}"
    return f"Error: No public port '{private}' published for {container}"


def _bound(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def diff(options: Options, container: str) -> None:
    """``moby diff``."""
    from moby_tui.cli.output.text import printable

    for change in session.call(lambda client: client.containers.changes(container)):
        print(_KINDS[change.kind], printable(change.path))
