"""What is asked of dockerd and of this engine about every option: of networks, of their address pools and of endpoints."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from networks.recorded.dockerd_cases import BRIDGE, Step, _asked, _create, _exec, _ipam, _list, _option, _run, _subnet

ENDPOINT = "com.docker.network.endpoint."
_MTU, _PREFIX = "com.docker.network.driver.mtu", "com.docker.network.container_iface_prefix"
_ROUTES = "(ip route; ip -6 route) | grep ^default | awk '{print $3}'"
#: The interfaces' names, in order.
_NAMES = "ls /sys/class/net | sort"


def _on(**networks: dict[str, Any]) -> dict[str, Any]:
    return {"NetworkingConfig": {"EndpointsConfig": networks}}


def _refused(name: str, body: dict[str, Any]) -> list[Step]:
    return _create(name, body)[:1]


NETWORKS = [
    *[
        step
        for key in (
            "enable_icc",
            "enable_ip_masquerade",
            "host_binding_ipv4",
            "inhibit_ipv4",
            "gateway_mode_ipv4",
            "gateway_mode_ipv6",
        )
        for step in _refused(f"no value for {key}", _option(BRIDGE + key, ""))
    ],
    *_refused("a bind address with an interface", _option(BRIDGE + "host_binding_ipv4", "fe80::1%lo")),
    *[step for value in ("", " 1400", "1.5", "0x500") for step in _refused(f"mtu {value!r}", _option(_MTU, value))],
    *_create("mtu 0", _option(_MTU, "0")),
    *_create("mtu +1400", _option(_MTU, "+1400")),
    *[
        step
        for value in ("false", "x")
        for step in _refused(f"enable_ipv4 {value}", _option("com.docker.network.enable_ipv4", value))
    ],
    *_refused("enable_ipv6 x", _option("com.docker.network.enable_ipv6", "x")),
    *_create(
        "IPv6 alone by options",
        _subnet("fd00:91::/64") | {"Options": {"com.docker.network.enable_ipv4": "0", "com.docker.network.enable_ipv6": "1"}},
    ),
    *_refused("a prefix length with a zero", _subnet("10.91.0.0/024")),
    *_refused("no address for a gateway", _subnet("10.91.0.0/24", IPRange="10.91.0.255/32")),
    *_refused("no address but the subnet's for a gateway", _subnet("10.91.0.0/24", IPRange="10.91.0.0/32")),
    *_refused("no gateway in IPv6", _subnet("fd00:91::/128") | {"EnableIPv6": True, "EnableIPv4": False}),
    *[
        step
        for subnet in ("::/0", "fe80::/10", "ff00::/64")
        for step in _refused(f"{subnet} of IPv6", _subnet(subnet) | {"EnableIPv6": True, "EnableIPv4": False})
    ],
    *_refused("a subnet with null IPAM", _ipam({"Subnet": "10.91.0.0/24"}, Driver="null")),
    Step("scope swarm", "POST", "/networks/create", {"Name": "s", "Scope": "swarm"}),
    Step("ingress", "POST", "/networks/create", {"Name": "s", "Ingress": True}),
    *[Step(f"inspect {name}", "GET", f"/networks/{name}") for name in ("host", "none")],
]

#: Each is asked of a new container, and of a running one.
_ENDPOINTS: dict[str, dict[str, Any]] = {
    "mac with dots": {"MacAddress": "0242.0a5b.009c"},
    "sysctl of an interface": {"DriverOpts": {ENDPOINT + "sysctls": "net.ipv4.conf.eth0.log_martians=1"}},
    "sysctl of the host": {"DriverOpts": {ENDPOINT + "sysctls": "kernel.hostname=x"}},
    "no sysctl": {"DriverOpts": {ENDPOINT + "sysctls": ""}},
    "the subnet's address": {"IPAMConfig": {"IPv4Address": "10.91.0.0"}},
    "the broadcast address": {"IPAMConfig": {"IPv4Address": "10.91.0.255"}},
    "the gateway's address": {"IPAMConfig": {"IPv4Address": "10.91.0.1"}},
    "no address": {"IPAMConfig": {"IPv4Address": "0.0.0.0"}},
    "an interface name": {"DriverOpts": {ENDPOINT + "ifname": "lan0"}},
}

ENDPOINTS = [
    Step("make a", "POST", "/networks/create", {"Name": "a", **_subnet("10.91.0.0/24")}),
    Step("make b", "POST", "/networks/create", {"Name": "b", **_subnet("10.92.0.0/24")}),
    Step("make full", "POST", "/networks/create", {"Name": "full", **_subnet("10.95.0.0/30")}),
    Step("make net", "POST", "/networks/create", {"Name": "net", **_subnet("10.93.0.0/24"), "Options": {_PREFIX: "net"}}),
    *_run("base", "b"),
    *[
        step
        for number, (name, asked) in enumerate(_ENDPOINTS.items())
        for step in (
            *_run(f"new{number}", "a", **_on(a=asked)),
            Step(f"new{number} goes", "DELETE", f"/containers/new{number}?force=1"),
            Step(f"connect {name}", "POST", "/networks/a/connect", {"Container": "base", "EndpointConfig": asked}),
            _exec("base", f"{_NAMES} # {name}"),
            Step(f"disconnect {name}", "POST", "/networks/a/disconnect", {"Container": "base"}),
        )
    ],
    *_run("prefixed", "a", **_on(a={}, net={})),
    _exec("prefixed", _NAMES),
    *_run("named", "a", **_on(a={"DriverOpts": {ENDPOINT + "ifname": "eth1"}}, b={})),
    _exec("named", _NAMES),
    *_run("fills", "full"),
    *_run("more", "full"),
    *_run("only", "default", **_on(b={})),
    Step("networks of only", "GET", "/containers/only/json#networks"),
    *_run("elsewhere", "a", **_on(b={})),
    Step("networks of elsewhere", "GET", "/containers/elsewhere/json#networks"),
    Step("stop base", "POST", "/containers/base/stop?t=0"),
    Step("disconnect stopped", "POST", "/networks/a/disconnect", {"Container": "base"}),
    *[
        Step(
            f"add-host {entry}",
            "POST",
            "/containers/create?name=hosts",
            {"Image": "busybox", "HostConfig": {"ExtraHosts": [entry]}},
        )
        for entry in ("a:1.2.3", "a:", "a", ":1.2.3.4")
    ],
    *_run("served", "a", HostConfig={"Dns": ["10.9.9.9", "10.9.9.8"]}),
    _exec("served", "cat /etc/resolv.conf"),
]

_SIX = {"EnableIPv6": True}
#: Containers in networks of one IP version and of both.
_WAYS: tuple[dict[str, dict[str, Any]], ...] = (
    {"both": {}, "a": {"GwPriority": 2}},
    {"a": {}, "six": {}},
    {"a": {}, "six": {"GwPriority": 1}},
    {"both": {}, "six": {"GwPriority": 3}},
)
GATEWAYS = [
    Step(
        "make both",
        "POST",
        "/networks/create",
        {"Name": "both", **_SIX, **_ipam({"Subnet": "10.94.0.0/24"}, {"Subnet": "fd00:94::/64"})},
    ),
    Step("make six", "POST", "/networks/create", {"Name": "six", **_SIX, "EnableIPv4": False, **_subnet("fd00:96::/64")}),
    *[
        step
        for number, networks in enumerate(_WAYS)
        for step in (*_run(f"way{number}", "a" if "a" in networks else "six", **_on(**networks)), _exec(f"way{number}", _ROUTES))
    ],
    *_run("changes", "a"),
    Step("changes to six", "POST", "/networks/six/connect", {"Container": "changes"}),
    _exec("changes", f"{_ROUTES} # six"),
    Step("changes to both", "POST", "/networks/both/connect", {"Container": "changes"}),
    _exec("changes", f"{_ROUTES} # both"),
    Step("changes from both", "POST", "/networks/both/disconnect", {"Container": "changes"}),
    _exec("changes", f"{_ROUTES} # again"),
    Step("changes from a", "POST", "/networks/a/disconnect", {"Container": "changes"}),
    _exec("changes", f"{_ROUTES} # six alone"),
]

NAMES = [
    Step("make dot.net", "POST", "/networks/create", {"Name": "dot.net", **_subnet("10.97.0.0/24")}),
    *_run("dotted", "dot.net", **_on(**{"dot.net": {"Aliases": ["x.y"], "Links": ["dotted:itself"]}})),
    *_asked("dotted", "dotted", "dotted.dot.net", "dotted.net", "x.y.dot.net", "itself.dot.net"),
]

FILTERS = [
    *[_list(name=[name]) for name in ("^a$", "^b$", "o.h", "(", "")],
    _list(dangling=["true", "false"]),
    *[
        Step(f"prune {text}", "POST", "/networks/prune?filters=" + quote(text))
        for text in ('{"until": ["1h", "2h"]}', '{"until": ["24h"]}', '{"nosuch": ["x"]}', '{"dangling": ["true"]}')
    ],
    Step("prune until nothing", "POST", "/networks/prune?filters=" + quote('{"until": ["x"]}')),
]

STEPS = [*NETWORKS, *ENDPOINTS, *GATEWAYS, *NAMES, *FILTERS]
