"""What is asked of dockerd and of this engine about published ports: on both IP versions, on one, where they collide."""

from __future__ import annotations

from networks.recorded.dockerd_cases import Step, _ipam, _run, _subnet

#: Below the ports of the kernel's choice, and none of a machine that runs tests.
_FIRST = 28100


def _published(name: str, *bindings: tuple[str, str], mode: str = "", port: str = "80/tcp", **more: object) -> list[Step]:
    """A container with one port published at (address, host port), and what inspect and the list make of it."""
    asked = {port: [{"HostIp": address, "HostPort": host} for address, host in bindings]}
    return [
        *_run(name, mode, HostConfig={"PortBindings": asked}, ExposedPorts={port: {}}, **more),
        Step(f"ports of {name}", "GET", f"/containers/{name}/json#ports"),
        Step(f"row of {name}", "GET", f"/containers/json?filters=%7B%22name%22:%5B%22{name}%22%5D%7D#row-ports"),
    ]


def _goes(*names: str) -> list[Step]:
    return [Step(f"{name} goes", "DELETE", f"/containers/{name}?force=true") for name in names]


STEPS = [
    Step(
        "make both",
        "POST",
        "/networks/create",
        {"Name": "both", "EnableIPv6": True, **_ipam({"Subnet": "10.94.0.0/24"}, {"Subnet": "fd00:94::/64"})},
    ),
    Step(
        "make six",
        "POST",
        "/networks/create",
        {"Name": "six", "EnableIPv4": False, "EnableIPv6": True, **_subnet("fd00:95::/64")},
    ),
    Step(
        "make local",
        "POST",
        "/networks/create",
        {"Name": "local", **_subnet("10.96.0.0/24"), "Options": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}},
    ),
    Step("make inner", "POST", "/networks/create", {"Name": "inner", "Internal": True, **_subnet("10.97.0.0/24")}),
    *_published("plain", ("", "28100")),
    *_published("taken", ("", "28100")),
    *_published("taken-four", ("0.0.0.0", "28100")),
    *_published("taken-six", ("::", "28100")),
    *_published("taken-one", ("::1", "28100")),
    *_published("other-protocol", ("", "28100"), port="80/udp"),
    *_published("four", ("0.0.0.0", "28101")),
    *_published("six", ("::", "28101")),
    *_published("looped", ("::1", "28102")),
    *_published("looped-four", ("127.0.0.1", "28102")),
    *_published("twofold", ("127.0.0.1", "28103"), ("::1", "28103")),
    *_published("same-twice", ("", "28104"), ("", "28104")),
    *_published("both-and-four", ("", "28105"), ("127.0.0.1", "28105")),
    *_published("any", ("", "")),
    *_published("zero", ("", "0")),
    *_published("range", ("", "28100-28103")),
    *_published("full-range", ("", "28100-28101")),
    *_published("dual", ("", "28110"), mode="both"),
    *_published("dual-six", ("::", "28111"), mode="both"),
    *_published("only", ("", "28112"), mode="six"),
    *_published("only-four", ("0.0.0.0", "28113"), mode="six"),
    *_published("only-six", ("::1", "28114"), mode="six"),
    *_published("bound", ("", "28115"), mode="local"),
    *_published("bound-six", ("::", "28116"), mode="local"),
    *_published("within", ("", "28117"), mode="inner"),
    *_published("elsewhere", ("fd00:ffff::1", "28118")),
    *_published("elsewhere-four", ("198.51.100.1", "28118")),
    *_published("scoped", ("fe80::1%lo", "28118")),
    *_published("bracketed", ("[::1]", "28118")),
    *_published("mapped", ("::ffff:127.0.0.1", "28119")),
    *_published("stream", ("", "28120"), port="80/sctp"),
    *_published("star", ("*", "28121")),
    *_published("toobig", ("", "70000")),
    *_published("noport", ("", "http")),
    Step("stop plain", "POST", "/containers/plain/stop?t=0"),
    Step("ports of plain stopped", "GET", "/containers/plain/json#ports"),
    Step("start taken now", "POST", "/containers/taken/start"),
    Step("start plain again", "POST", "/containers/plain/start"),
    *_run("exposed", ExposedPorts={"80/tcp": {}, "53/udp": {}, "9/sctp": {}}),
    Step("ports of exposed", "GET", "/containers/exposed/json#ports"),
    *_run("every", ExposedPorts={"80/tcp": {}, "53/udp": {}}, HostConfig={"PublishAllPorts": True}),
    Step("ports of every", "GET", "/containers/every/json#ports"),
]
