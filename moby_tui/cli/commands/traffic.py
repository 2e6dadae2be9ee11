"""What passes between networks and the world: ``network exposure``, ``doctor`` and ``shape``."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

app = typer.Typer()

_HEADINGS = {
    "Address": "ADDRESS",
    "Port": "PORT",
    "Protocol": "PROTOCOL",
    "Container": "CONTAINER",
    "ContainerID": "CONTAINER ID",
    "ContainerPort": "TO",
    "Network": "NETWORK",
    "Reason": "REASON",
    "Explanation": "WHY",
}
_SHOWN = ("Address", "Port", "Protocol", "Container", "ContainerPort", "Network", "Explanation")
_Format = Annotated[
    str, typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False)
]


@app.command("exposure")
def exposure(format: _Format = "") -> None:
    """List every port that is reachable from outside of the host, and why.

    'any' is a container whose every port is reachable and that listens on none just now. Rules of your own and the
    host's other firewall are not looked at.

    Examples:

      moby network exposure

      moby network exposure --format '{{.Address}}:{{.Port}} {{.Container}}: {{.Reason}}'
    """
    from moby_tui.cli.output.table import formatted
    from moby_tui.schema.base import to_builtins

    found = session.call(lambda client: client.networks.exposure())
    rows = [to_builtins(one) for one in found]
    if format in ("", "table"):
        for row in rows:
            row.update({key: row[key] or "any" for key in ("Port", "Protocol", "ContainerPort")})
    for line in formatted(format, _HEADINGS, _SHOWN, rows):
        print(line)


@app.command("doctor")
def doctor(format: Annotated[str, typer.Option("--format", help="'json' or a Go template", metavar="string")] = "") -> int:
    """Tell what blocks or breaks the traffic of containers on this host, and what to do.

    One line for each finding. The exit code is 1 where there is an error, 0 where there is none or a warning only. Nothing
    is changed.
    """
    from moby_tui.schema.base import to_builtins

    found = session.call(lambda client: client.networks.examine())
    if format:
        from moby_tui.cli.output.table import formatted

        fields = {field: field.upper() for field in ("Severity", "About", "Message", "Advice")}
        lines = formatted(format, fields, tuple(fields), [to_builtins(one) for one in found])
    else:
        lines = [f"{one.severity}: {one.about}: {one.message}; {one.advice}" for one in found] or ["nothing found"]
    for line in lines:
        print(line)
    return int(any(one.severity == "error" for one in found))


@app.command("shape")
def shape(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    network: Annotated[
        str, typer.Option("--network", help="Only what is sent into this network  [default: each]", metavar="string")
    ] = "",
    delay: Annotated[str, typer.Option("--delay", help="Delay each packet (50ms)", metavar="time")] = "",
    jitter: Annotated[str, typer.Option("--jitter", help="Vary the delay by so much (10ms)", metavar="time")] = "",
    loss: Annotated[str, typer.Option("--loss", help="Lose so many packets (1%)", metavar="percent")] = "",
    rate: Annotated[str, typer.Option("--rate", help="Send no faster (10mbit)", metavar="rate")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Undo it")] = False,
    format: _Format = "",
) -> None:
    """Delay, lose or limit what a running container sends, or show how it is treated.

    It replaces what was asked for before, and ends with the container. Times are in us, ms, s; rates in bit, kbit, mbit,
    gbit, or bytes: bps, kbps, mbps, gbps.

    Examples:

      moby network shape --delay 50ms --jitter 10ms --loss 1% web

      moby network shape --network front --rate 10mbit web

      moby network shape web

      moby network shape --clear web
    """
    from moby_tui.cli.values.shapes import parse_percentage, parse_rate, parse_time
    from moby_tui.errors import InvalidArgument
    from moby_tui.schema.traffic import Shape

    asks = any((delay, jitter, loss, rate))
    if asks and clear:
        raise InvalidArgument("--clear undoes it all: give it alone, or say what is wanted")
    if not asks and not clear:
        _show_shapes(container, network, format)
        return
    wanted = Shape(
        network=network,
        delay=parse_time("--delay", delay or "0us"),
        jitter=parse_time("--jitter", jitter or "0us"),
        loss=parse_percentage(loss or "0"),
        rate=parse_rate(rate or "0bit"),
    )
    session.call(lambda client: client.networks.shape(container, wanted))


def _show_shapes(container: str, network: str, format: str) -> None:
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.shapes import rate_text, time_text
    from moby_tui.errors import NotFound

    found = session.call(lambda client: client.networks.shapes(container))
    shown = [one for one in found if network in ("", one.network)]
    if not shown:
        raise NotFound(f"container {container} is not connected to network {network}")
    rows = [
        {
            "Network": one.network,
            "Interface": one.interface,
            "Delay": time_text(one.delay),
            "Jitter": time_text(one.jitter),
            "Loss": f"{one.loss:g}%" if one.loss else "-",
            "Rate": rate_text(one.rate),
        }
        for one in shown
    ]
    headings = {field: field.upper() for field in rows[0]}
    for line in formatted(format, headings, tuple(headings), rows):
        print(line)
