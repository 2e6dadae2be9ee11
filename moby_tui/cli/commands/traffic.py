"""What passes between networks and the world: ``network exposure``, ``doctor`` and ``shape``."""

from __future__ import annotations

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.networks import NetworkDoctorOptions, NetworkExposureOptions, NetworkShapeOptions


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


def exposure(options: NetworkExposureOptions) -> None:
    """``moby network exposure``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.schema.base import to_builtins

    exposures = session.call(lambda client: client.networks.exposure())
    rows = [to_builtins(one) for one in exposures]
    if options.format in ("", "table"):
        for row in rows:
            row.update({key: row[key] or "any" for key in ("Port", "Protocol", "ContainerPort")})
    for line in formatted(options.format, _HEADINGS, _SHOWN, rows):
        print(line)


def doctor(options: NetworkDoctorOptions) -> int:
    """``moby network doctor``."""
    from moby_tui.schema.base import to_builtins

    findings = session.call(lambda client: client.networks.examine())
    if options.format:
        from moby_tui.cli.output.table import formatted

        fields = {field: field.upper() for field in ("Severity", "About", "Message", "Advice")}
        lines = formatted(options.format, fields, tuple(fields), [to_builtins(one) for one in findings])
    else:
        lines = [f"{one.severity}: {one.about}: {one.message}; {one.advice}" for one in findings] or ["nothing found"]
    for line in lines:
        print(line)
    return int(any(one.severity == "error" for one in findings))


def shape(options: NetworkShapeOptions, container: str) -> None:
    """``moby network shape``."""
    from moby_tui.cli.values.shapes import parse_percentage, parse_rate, parse_time
    from moby_tui.errors import InvalidArgument
    from moby_tui.schema.traffic import Shape

    asks = any((options.delay, options.jitter, options.loss, options.rate))
    if asks and options.clear:
        raise InvalidArgument("--clear undoes it all: give it alone, or say what is wanted")
    if not asks and not options.clear:
        _show_shapes(container, options.network, options.format)
        return
    wanted = Shape(
        network=options.network,
        delay=parse_time("--delay", options.delay or "0us"),
        jitter=parse_time("--jitter", options.jitter or "0us"),
        loss=parse_percentage(options.loss or "0"),
        rate=parse_rate(options.rate or "0bit"),
    )
    session.call(lambda client: client.networks.shape(container, wanted))


def _show_shapes(container: str, network: str, format: str) -> None:
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.shapes import rate_text, time_text
    from moby_tui.errors import NotFound

    shapes = session.call(lambda client: client.networks.shapes(container))
    shown = [one for one in shapes if network in ("", one.network)]
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
