"""What is asked of dockerd and of this engine alike, in this order: requests, and commands in containers.

``{"Key": ...}`` bodies are the Engine API's. A step whose name begins with ``exec`` runs a command in a container instead.
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import quote

BRIDGE = "com.docker.network.bridge."
_numbers = count(100)
SHORT_SLEEP = ["sleep", "600"]


class Step(NamedTuple):
    name: str
    method: str
    path: str
    body: Any = None


def _create(name: str, body: dict[str, Any], network: str = "x") -> list[Step]:
    """A network made, shown and removed, in subnets of its own: dockerd does not free those of a network that it failed to make."""
    number = next(_numbers)
    own = json.loads(json.dumps(body).replace("10.91.", f"10.{number}.").replace("fd00:91:", f"fd00:{number}:"))
    return [
        Step(f"create {name}", "POST", "/networks/create", {"Name": network} | own),
        Step(f"inspect {name}", "GET", f"/networks/{quote(network)}"),
        Step(f"remove {name}", "DELETE", f"/networks/{quote(network)}"),
    ]


def _ipam(*pools: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"IPAM": {"Config": [*pools], **more}}


def _subnet(subnet: str, **more: Any) -> dict[str, Any]:
    return _ipam({"Subnet": subnet, **more})


def _option(key: str, value: str, **more: Any) -> dict[str, Any]:
    return _subnet("10.91.0.0/24") | {"Options": {key: value}} | more


def _run(name: str, mode: str = "", **more: Any) -> list[Step]:
    host = more.pop("HostConfig", {}) | ({"NetworkMode": mode} if mode else {})
    body = {"Image": "busybox", "Cmd": SHORT_SLEEP, "Hostname": f"host-{name}", "HostConfig": host} | more
    return [
        Step(f"container {name}", "POST", f"/containers/create?name={name}", body),
        Step(f"start {name}", "POST", f"/containers/{name}/start"),
    ]


def _exec(container: str, command: str) -> Step:
    return Step(f"exec {container}: {command}", "EXEC", container, command)


def _asked(container: str, *names: str) -> list[Step]:
    return [_exec(container, f"nslookup {name} 127.0.0.11 2>&1 | tail -n +4") for name in names]


def _list(**filters: list[str]) -> Step:
    text = json.dumps(filters)
    return Step(f"list {text}", "GET", f"/networks?filters={quote(text)}#names")


CREATE = [
    *_create("plain", {**_subnet("10.91.0.0/24")}),
    *_create("without a subnet", {}),
    *_create(
        "labels and flags", {**_subnet("10.91.0.0/24"), "Internal": True, "Attachable": True, "Labels": {"a": "b", "c": ""}}
    ),
    *_create("a gateway", _subnet("10.91.0.0/24", Gateway="10.91.0.9")),
    *_create("a range", _subnet("10.91.0.0/24", IPRange="10.91.0.128/25")),
    *_create("auxiliary addresses", _subnet("10.91.0.0/24", AuxiliaryAddresses={"r": "10.91.0.1", "s": "10.91.0.7"})),
    *_create("two subnets of one version", _ipam({"Subnet": "10.91.0.0/24"}, {"Subnet": "10.92.0.0/24"})),
    *_create("two subnets that overlap", _ipam({"Subnet": "10.91.0.0/24"}, {"Subnet": "10.91.0.0/25"})),
    *_create("IPv6", {**_ipam({"Subnet": "10.91.0.0/24"}, {"Subnet": "fd00:91::/64"}), "EnableIPv6": True}),
    *_create("IPv6 alone", {**_subnet("fd00:91::/64"), "EnableIPv6": True, "EnableIPv4": False}),
    *_create(
        "IPv6 and a gateway",
        {**_ipam({"Subnet": "fd00:91::/64", "Gateway": "fd00:91::9"}), "EnableIPv6": True, "EnableIPv4": False},
    ),
    *_create("a subnet of IPv6 not enabled", _ipam({"Subnet": "10.91.0.0/24"}, {"Subnet": "fd00:91::/64"})),
    *_create("neither version", {"EnableIPv4": False}),
    *_create("no IPv4 but its subnet", {**_subnet("10.91.0.0/24"), "EnableIPv4": False, "EnableIPv6": True}),
    *_create("host bits", _subnet("10.91.0.1/24")),
    *_create("no subnet at all", _subnet("nonsense")),
    *_create("no prefix length", _subnet("10.91.0.0")),
    *_create("a wrong gateway", _subnet("10.91.0.0/24", Gateway="10.92.0.1")),
    *_create("a gateway that is no address", _subnet("10.91.0.0/24", Gateway="gate")),
    *_create("a range outside", _subnet("10.91.0.0/24", IPRange="10.92.0.0/25")),
    *_create("a larger range", _subnet("10.91.0.0/24", IPRange="10.91.0.0/16")),
    *_create("a range with host bits", _subnet("10.91.0.0/24", IPRange="10.91.0.5/25")),
    *_create("a range that is none", _subnet("10.91.0.0/24", IPRange="range")),
    *_create("an auxiliary address outside", _subnet("10.91.0.0/24", AuxiliaryAddresses={"r": "10.92.0.1"})),
    *_create("an auxiliary address that is none", _subnet("10.91.0.0/24", AuxiliaryAddresses={"r": "r"})),
    *_create("two faults", _subnet("10.91.0.1/24", Gateway="10.92.0.1", IPRange="range")),
    *_create("a gateway and no subnet", _ipam({"Gateway": "10.91.0.1"})),
    *_create("a range and no subnet", _ipam({"IPRange": "10.91.0.0/25"})),
    *_create("an empty pool", _ipam({})),
    *_create("the wrong version of gateway", _subnet("10.91.0.0/24", Gateway="fd00::1")),
    *_create("the network's address as gateway", _subnet("10.91.0.0/24", Gateway="10.91.0.0")),
    *_create(
        "the gateway as auxiliary address", _subnet("10.91.0.0/24", Gateway="10.91.0.1", AuxiliaryAddresses={"r": "10.91.0.1"})
    ),
    *_create("a point to point subnet", _subnet("10.91.0.0/31")),
    *_create("one address", _subnet("10.91.0.0/32")),
    *_create("IPAM options", _subnet("10.91.0.0/24") | {"IPAM": {"Config": [{"Subnet": "10.91.0.0/24"}], "Options": {"a": "b"}}}),
    *_create("empty IPAM options", {"IPAM": {"Driver": "default", "Config": [{"Subnet": "10.91.0.0/24"}], "Options": {}}}),
    *_create("null IPAM", {"IPAM": {"Driver": "null"}}),
    *_create("unknown IPAM", {"IPAM": {"Driver": "nosuch"}}),
    *_create("unknown driver", {"Driver": "nosuch"}),
    *_create("driver host", {"Driver": "host"}),
    *_create("driver null", {"Driver": "null"}),
    *_create("driver overlay", {"Driver": "overlay"}),
    *_create("unknown option", _option("a.b", "c")),
    *_create("a bridge name", _option(BRIDGE + "name", "br-mine")),
    *_create("a long bridge name", _option(BRIDGE + "name", "br-much-too-long-a-name")),
    *_create("no icc", _option(BRIDGE + "enable_icc", "false")),
    *_create("icc no boolean", _option(BRIDGE + "enable_icc", "perhaps")),
    *_create("masquerade no boolean", _option(BRIDGE + "enable_ip_masquerade", "perhaps")),
    *_create("a bind address", _option(BRIDGE + "host_binding_ipv4", "127.0.0.1")),
    *_create("a bind address that is none", _option(BRIDGE + "host_binding_ipv4", "here")),
    *_create("mtu", _option("com.docker.network.driver.mtu", "1400")),
    *_create("mtu no number", _option("com.docker.network.driver.mtu", "many")),
    *_create("negative mtu", _option("com.docker.network.driver.mtu", "-1")),
    *_create("routed", _option(BRIDGE + "gateway_mode_ipv4", "routed")),
    *_create("isolated", _option(BRIDGE + "gateway_mode_ipv4", "isolated", Internal=True)),
    *_create("isolated but not internal", _option(BRIDGE + "gateway_mode_ipv4", "isolated")),
    *_create("unknown gateway mode", _option(BRIDGE + "gateway_mode_ipv4", "open")),
    *_create("inhibit IPv4", _option(BRIDGE + "inhibit_ipv4", "true")),
    *_create("interface prefix", _option("com.docker.network.container_iface_prefix", "net")),
    *_create("IPv6 by option", {"Options": {"com.docker.network.enable_ipv6": "true"}, **_subnet("10.91.0.0/24")}),
    *_create("an empty name", {}, "")[:1],
    *_create("a name with a percent sign", {}, "%20"),
    *[step for name in ("bridge", "host", "none", "default") for step in _create(f"predefined {name}", {}, name)[:1]],
    *[
        Step(f"create named {name!r}", "POST", "/networks/create", {"Name": name, **_subnet("10.95.0.0/24")})
        for name in ("a/b", "-a", "a b", "ä", "container:x", ".", "a:b", " ", "aa")
    ],
    *[
        Step(f"remove named {name!r}", "DELETE", f"/networks/{quote(name, safe='')}")
        for name in ("a/b", "-a", "a b", "ä", "container:x", "a:b", "aa")
    ],
    *[Step(f"remove predefined {name}", "DELETE", f"/networks/{name}") for name in ("bridge", "host", "none", "nosuch")],
    Step("no body", "POST", "/networks/create"),
]

WORLD = [
    Step("make a", "POST", "/networks/create", {"Name": "a", **_subnet("10.91.0.0/24"), "Labels": {"k": "v"}}),
    Step("make b", "POST", "/networks/create", {"Name": "b", **_subnet("10.92.0.0/24")}),
    Step("make inner", "POST", "/networks/create", {"Name": "inner", "Internal": True, **_subnet("10.93.0.0/24")}),
    Step(
        "make six",
        "POST",
        "/networks/create",
        {"Name": "six", "EnableIPv6": True, **_ipam({"Subnet": "10.94.0.0/24"}, {"Subnet": "fd00:94::/64"})},
    ),
    Step("make free", "POST", "/networks/create", {"Name": "free"}),
    Step("make a again", "POST", "/networks/create", {"Name": "a"}),
    Step("make one that overlaps", "POST", "/networks/create", {"Name": "c", **_subnet("10.91.0.0/25")}),
    Step("a bridge's name taken", "POST", "/networks/create", {"Name": "d", "Options": {BRIDGE + "name": "lo"}}),
    _list(name=["a"]),
    _list(driver=["null"]),
    _list(type=["builtin"]),
    _list(type=["odd"]),
    _list(type=["builtin", "custom"]),
    _list(label=["k"]),
    _list(label=["k=w"]),
    _list(scope=["local"]),
    _list(scope=["swarm"]),
    _list(dangling=["true"]),
    _list(dangling=["perhaps"]),
    _list(nosuch=["x"]),
    _list(id=["zz"]),
    Step("inspect nothing", "GET", "/networks/nosuch"),
    Step("inspect verbose", "GET", "/networks/a?verbose=true"),
    Step("inspect verbose no boolean", "GET", "/networks/a?verbose=perhaps"),
    Step("inspect with a scope", "GET", "/networks/a?scope=swarm"),
    *_run(
        "one",
        "a",
        NetworkingConfig={"EndpointsConfig": {"a": {"Aliases": ["alias"], "IPAMConfig": {"IPv4Address": "10.91.0.50"}}}},
    ),
    *_run("two", "a", NetworkingConfig={"EndpointsConfig": {"a": {}, "b": {"GwPriority": 1}}}),
    *_run("three", "inner"),
    *_run("four", "six", ExposedPorts={"80/tcp": {}}, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "28080"}]}}),
    *_run(
        "plain",
        "",
        HostConfig={
            "ExtraHosts": ["x:1.2.3.4", "gw:host-gateway"],
            "Dns": ["10.9.9.9"],
            "DnsSearch": ["ex.test"],
            "DnsOptions": ["ndots:3"],
        },
    ),
    *_run(
        "dns",
        "a",
        HostConfig={
            "ExtraHosts": ["x:1.2.3.4"],
            "Dns": ["10.9.9.9"],
            "DnsSearch": ["ex.test", "b.test"],
            "DnsOptions": ["timeout:1"],
        },
    ),
    *_run("none", "none"),
    *_run("noname", "nosuch"),
    Step("container noname removed", "DELETE", "/containers/noname?force=true"),
    *[
        step
        for name in ("one", "two", "three", "four", "plain", "dns", "none")
        for step in (
            Step(f"container inspect {name}", "GET", f"/containers/{name}/json#networks"),
            _exec(name, "cat /etc/resolv.conf"),
        )
    ],
    *[
        step
        for name in ("one", "three", "four", "plain", "dns", "none")
        for step in (
            _exec(name, "cat /etc/hosts"),
            _exec(name, "ip route; ip -6 route | grep -v multicast | sort"),
            _exec(name, "ip -o addr show | awk '{print $2, $3, $4}'"),
        )
    ],
    # which of its interfaces is the first is chance there
    _exec("two", "ip route show default | awk '{print $3}'"),
    _exec("two", "sort /etc/hosts"),
    Step("container inspect of 1.43", "GET", "/v1.43/containers/one/json#networks"),
    Step("network with containers", "GET", "/networks/a"),
    Step("network with six", "GET", "/networks/six"),
    *_asked("one", "two", "TWO", "two.", "two.a", "alias", "host-two", "nosuch", "four", "10.91.0.50", "10.92.0.2", "one"),
    *_asked("three", "three", "nosuch.example", "one"),
    *_asked("four", "four", "fd00:94::2"),
    _exec("one", "nslookup -type=mx two 127.0.0.11 2>&1 | tail -n +4"),
    _exec("one", "nslookup -type=srv two 127.0.0.11 2>&1 | tail -n +4"),
    _exec("one", "nslookup -type=aaaa two 127.0.0.11 2>&1 | tail -n +4"),
    _exec("one", "nslookup -type=txt nosuch 127.0.0.11 2>&1 | tail -n +4"),
    *[
        _exec("one", f"ping -c 1 -W 1 {host} >/dev/null 2>&1; echo $?")
        for host in ("two", "10.91.0.1", "10.92.0.1", "10.92.0.2", "10.93.0.2", "10.94.0.2")
    ],
    *[_exec("three", f"ping -c 1 -W 1 {host} >/dev/null 2>&1; echo $?") for host in ("10.93.0.1", "10.91.0.50", "10.91.0.1")],
    Step("remove one in use", "DELETE", "/networks/inner"),
    Step("connect to nothing", "POST", "/networks/nosuch/connect", {"Container": "one"}),
    Step("connect nobody", "POST", "/networks/b/connect", {"Container": "nosuch"}),
    Step("connect without a container", "POST", "/networks/b/connect", {}),
    Step("connect twice", "POST", "/networks/a/connect", {"Container": "one"}),
    Step("connect to host", "POST", "/networks/host/connect", {"Container": "one"}),
    Step("connect to none", "POST", "/networks/none/connect", {"Container": "one"}),
    Step("connect what has none", "POST", "/networks/a/connect", {"Container": "none"}),
    Step(
        "connect at an address outside",
        "POST",
        "/networks/b/connect",
        {"Container": "one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.99.0.1"}}},
    ),
    Step(
        "connect at a taken address",
        "POST",
        "/networks/a/connect",
        {"Container": "plain", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.91.0.50"}}},
    ),
    Step(
        "connect at the gateway",
        "POST",
        "/networks/b/connect",
        {"Container": "one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.92.0.1"}}},
    ),
    Step(
        "connect at no address",
        "POST",
        "/networks/b/connect",
        {"Container": "one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "there"}}},
    ),
    Step(
        "connect at an address of no user's subnet",
        "POST",
        "/networks/free/connect",
        {"Container": "one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "172.18.0.9"}}},
    ),
    Step(
        "connect by IPv6 without one",
        "POST",
        "/networks/b/connect",
        {"Container": "one", "EndpointConfig": {"IPAMConfig": {"IPv6Address": "fd00::9"}}},
    ),
    Step(
        "connect at a wrong hardware address",
        "POST",
        "/networks/b/connect",
        {"Container": "one", "EndpointConfig": {"MacAddress": "zz"}},
    ),
    Step(
        "connect with an alias on bridge",
        "POST",
        "/networks/bridge/connect",
        {"Container": "one", "EndpointConfig": {"Aliases": ["z"]}},
    ),
    Step(
        "connect with an address on bridge",
        "POST",
        "/networks/bridge/connect",
        {"Container": "one", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "172.17.0.77"}}},
    ),
    Step("disconnect from another", "POST", "/networks/b/disconnect", {"Container": "one"}),
    Step("disconnect from another by force", "POST", "/networks/b/disconnect", {"Container": "one", "Force": True}),
    Step("disconnect from host", "POST", "/networks/host/disconnect", {"Container": "one"}),
    Step("disconnect nobody", "POST", "/networks/a/disconnect", {"Container": "nosuch"}),
    Step("disconnect nobody by force", "POST", "/networks/a/disconnect", {"Container": "nosuch", "Force": True}),
    Step("disconnect from nothing", "POST", "/networks/nosuch/disconnect", {"Container": "one"}),
    Step("connect", "POST", "/networks/b/connect", {"Container": "one", "EndpointConfig": {"Aliases": ["late"]}}),
    Step("container inspect connected", "GET", "/containers/one/json#networks"),
    _exec("one", "cat /etc/hosts "),
    _exec("one", "ip route "),
    *_asked("two", "late", "late.b", "one"),
    Step("disconnect", "POST", "/networks/a/disconnect", {"Container": "one"}),
    _exec("one", "ip route  "),
    _exec("one", "cat /etc/hosts  "),
    Step("disconnect the last", "POST", "/networks/b/disconnect", {"Container": "one"}),
    Step("container inspect disconnected", "GET", "/containers/one/json#networks"),
    _exec("one", "cat /etc/resolv.conf "),
    *_run("ipbridge", "bridge", NetworkingConfig={"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.88"}}}}),
    *_run("aliasbridge", "bridge", NetworkingConfig={"EndpointsConfig": {"bridge": {"Aliases": ["al"]}}}),
    *_run("ipfree", "free", NetworkingConfig={"EndpointsConfig": {"free": {"IPAMConfig": {"IPv4Address": "172.18.0.88"}}}}),
    *_run("ipbad", "a", NetworkingConfig={"EndpointsConfig": {"a": {"IPAMConfig": {"IPv4Address": "nowhere"}}}}),
    *_run("ipout", "a", NetworkingConfig={"EndpointsConfig": {"a": {"IPAMConfig": {"IPv4Address": "10.99.0.1"}}}}),
    *_run("hostport", "host", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "28081"}]}}),
    *_run("shared", "container:two"),
    *_run("lost", "container:nosuch"),
    *_run("extra", "a", HostConfig={"ExtraHosts": ["nonsense"]}),
    *_run("baddns", "a", HostConfig={"Dns": ["nonsense"]}),
    Step("container inspect four again", "GET", "/containers/four/json#networks"),
    *[
        Step(f"container {name} goes", "DELETE", f"/containers/{name}?force=true")
        for name in (
            "one",
            "two",
            "three",
            "four",
            "plain",
            "dns",
            "none",
            "ipbridge",
            "aliasbridge",
            "ipfree",
            "ipbad",
            "ipout",
            "hostport",
            "shared",
            "lost",
            "extra",
            "baddns",
        )
    ],
    Step("prune by a wrong filter", "POST", "/networks/prune?filters=" + quote('{"name": ["a"]}')),
    Step("prune by label", "POST", "/networks/prune?filters=" + quote('{"label": ["k=v"]}')),
    Step("prune before a moment", "POST", "/networks/prune?filters=" + quote('{"until": ["24h"]}')),
    Step("prune", "POST", "/networks/prune"),
    Step("prune again", "POST", "/networks/prune"),
]

STEPS = [*CREATE, *WORLD]
