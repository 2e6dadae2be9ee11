"""What is asked of dockerd and of this engine about containers that come into networks and leave them, at rest and running."""

from __future__ import annotations

from typing import Any

from networks.recorded.dockerd_cases import BRIDGE, SHORT_SLEEP, Step, _create, _exec, _ipam, _run, _subnet
from networks.recorded.dockerd_option_cases import ENDPOINT, _on
from networks.recorded.dockerd_port_cases import _goes, _published

_ADDRESSES = "ip -4 -o addr | awk '{print $2, $4}' | sort"
_MTU = "com.docker.network.driver.mtu"


def _network(name: str, number: int, **more: Any) -> Step:
    return Step(f"make {name}", "POST", "/networks/create", {"Name": name, **_subnet(f"10.{number}.0.0/24"), **more})


def _change(action: str, network: str, container: str, **settings: Any) -> Step:
    body = {"Container": container, **({"EndpointConfig": settings} if settings else {})}
    return Step(f"{action} {network} {container} {settings or ''}".rstrip(), "POST", f"/networks/{network}/{action}", body)


def _shown(container: str, when: str = "") -> Step:
    return Step(f"networks of {container} {when}".rstrip(), "GET", f"/containers/{container}/json#networks")


def _act(action: str, container: str) -> Step:
    return Step(f"{action} {container}", "POST", f"/containers/{container}/{action}?t=0")


def _hosts(name: str, mode: str, pattern: str, **host: Any) -> list[Step]:
    return [*_run(name, mode, HostConfig=host), _exec(name, f"grep '{pattern}' /etc/hosts"), *_goes(name)]


STEPS = [
    _network("aa", 91),
    _network("bb", 92),
    # at rest
    Step(
        "container idle",
        "POST",
        "/containers/create?name=idle",
        {"Image": "busybox", "Cmd": SHORT_SLEEP, "Hostname": "host-idle"},
    ),
    _shown("idle", "at first"),
    _change("connect", "aa", "idle", IPAMConfig={"IPv4Address": "10.91.0.5"}, Aliases=["one"]),
    _change("connect", "aa", "idle", IPAMConfig={"IPv4Address": "10.91.0.6"}, Aliases=["two"]),
    _change("disconnect", "bridge", "idle"),
    _shown("idle", "connected twice"),
    _act("start", "idle"),
    _exec("idle", _ADDRESSES),
    _act("stop", "idle"),
    _shown("idle", "after its run"),
    *_goes("idle"),
    # none
    *_run("lone", "none"),
    _change("connect", "aa", "lone"),
    _change("disconnect", "none", "lone"),
    _shown("lone", "in no network"),
    _change("connect", "bb", "lone"),
    _exec("lone", _ADDRESSES),
    _change("connect", "none", "lone"),
    _act("restart", "lone"),
    _exec("lone", f"{_ADDRESSES} # again"),
    *_goes("lone"),
    # host
    *_run("hosty", "host"),
    _change("disconnect", "host", "hosty"),
    _change("disconnect", "aa", "hosty"),
    _change("connect", "aa", "hosty"),
    *_goes("hosty"),
    # a network that is gone
    _network("gone", 93),
    *_run("orphan", "gone"),
    _change("disconnect", "gone", "orphan"),
    Step("remove gone", "DELETE", "/networks/gone"),
    _act("restart", "orphan"),
    _shown("orphan", "without a network"),
    _exec("orphan", _ADDRESSES),
    _change("connect", "aa", "orphan"),
    _act("restart", "orphan"),
    _exec("orphan", f"{_ADDRESSES} # in another one"),
    *_goes("orphan"),
    # another container's
    Step("container still", "POST", "/containers/create?name=still", {"Image": "busybox", "Cmd": SHORT_SLEEP}),
    *_run("joined", "container:still", Hostname=""),
    *_goes("joined", "still"),
    # settings
    *_run("fixed", "", **_on(default={"IPAMConfig": {"IPv4Address": "172.17.0.50"}})),
    *_run("lower", "aa", **_on(aa={"DriverOpts": {ENDPOINT + "sysctls": "net.ipv4.conf.ifname.log_martians=1"}})),
    _exec("lower", "cat /proc/sys/net/ipv4/conf/eth0/log_martians"),
    *_goes("lower"),
    _network("small", 94, Options={_MTU: "1400"}),
    *[
        step
        for name in ("first", "second")
        for step in (*_run(name, "small"), _exec(name, "cat /sys/class/net/eth0/mtu"), *_goes(name))
    ],
    *_create("IPv4 written as IPv6", _subnet("::ffff:10.1.0.0/112") | {"EnableIPv6": True})[:1],
    *[
        step
        for version in (4, 6)
        for step in _create(
            f"isolated in IPv{version}",
            _ipam({"Subnet": "10.91.0.0/24"}, {"Subnet": "fd00:91::/64"})
            | {"EnableIPv6": True, "Internal": True, "Options": {f"{BRIDGE}gateway_mode_ipv{version}": "isolated"}},
        )
    ],
    # ports of routed networks
    _network("routed", 95, Options={BRIDGE + "gateway_mode_ipv4": "routed"}),
    *_published("direct", ("0.0.0.0", "28200"), mode="routed"),
    *_published("direct-too", ("0.0.0.0", "28200"), mode="routed"),
    *_published("direct-six", ("", "28201"), mode="routed"),
    *_published("direct-looped", ("127.0.0.1", "28202"), mode="routed"),
    *_published("direct-any", ("0.0.0.0", ""), mode="routed"),
    *_goes("direct", "direct-too", "direct-six", "direct-looped", "direct-any"),
    Step(
        "make double",
        "POST",
        "/networks/create",
        {
            "Name": "double",
            "EnableIPv6": True,
            **_ipam({"Subnet": "10.96.0.0/24"}, {"Subnet": "fd00:96::/64"}),
            "Options": {BRIDGE + "gateway_mode_ipv4": "routed", BRIDGE + "gateway_mode_ipv6": "routed"},
        },
    ),
    *_published("twice-direct", ("", "28200"), mode="double"),
    *_published("half", ("::", "28203"), mode="double", port="80/udp"),
    *_goes("twice-direct", "half"),
    # the host's address
    *_hosts("gw-bridge", "", "gw$", ExtraHosts=["gw:host-gateway"]),
    *_hosts("gw-aa", "aa", "gw$", ExtraHosts=["gw:host-gateway"]),
    Step("make inner", "POST", "/networks/create", {"Name": "inner", "Internal": True, **_subnet("10.97.0.0/24")}),
    *_hosts("gw-inner", "inner", "gw$", ExtraHosts=["gw:host-gateway"]),
    *_hosts("gw-none", "none", "gw$", ExtraHosts=["gw:host-gateway"]),
    *_hosts("gw-host", "host", "gw$", ExtraHosts=["gw:host-gateway"]),
]
