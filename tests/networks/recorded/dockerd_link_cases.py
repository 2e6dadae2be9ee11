"""What is asked of dockerd and of this engine about links (``--link``), on the default bridge and on networks of users."""

from __future__ import annotations

from typing import Any

from networks.recorded.dockerd_cases import SHORT_SLEEP, Step, _exec, _run, _subnet

_ENV = "env | grep -E '^(DB|WEB|MANY|A_B|X|PQ)_' | sort"


def _linked(name: str, *links: str, mode: str = "", **more: object) -> list[Step]:
    return _run(name, mode, HostConfig={"Links": [*links]}, **more)


def _on(network: str, *links: str) -> dict[str, Any]:
    return {"NetworkingConfig": {"EndpointsConfig": {network: {"Links": [*links]}}}}


def _ports(*ports: str) -> dict[str, dict[str, str]]:
    return {port: {} for port in ports}


def _shown(name: str, moment: str = "") -> Step:
    return Step(f"links of {name}{moment}", "GET", f"/containers/{name}/json#links")


def _names(name: str) -> Step:
    return Step(f"names of {name}", "GET", f"/containers/json?all=1&filters=%7B%22name%22:%5B%22{name}%22%5D%7D#container-names")


def _asked(container: str, *names: str, again: str = "") -> list[Step]:
    return [_exec(container, f"nslookup -type=a {name} 127.0.0.11 2>&1 | tail -n +4{again}") for name in names]


BRIDGE = [
    *_run("web", ExposedPorts=_ports("80/tcp", "443/tcp", "53/udp"), Env=["A=1", "EMPTY=", "PATH=/bin", "HOME=/x", "B=x=y"]),
    *_run("quiet"),
    *_run("many", ExposedPorts=_ports("7000/tcp", "7001/tcp", "7002/tcp", "7005/tcp", "80/tcp", "7001/udp", "7000/udp")),
    *_run("mixed", ExposedPorts=_ports("80/tcp", "81/udp", "82/tcp", "82/udp", "83/sctp")),
    *_run("datagrams", ExposedPorts=_ports("53/udp")),
    *_run("published", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "28090"}]}}),
    *_run("hosted", "host"),
    Step(
        "container shares",
        "POST",
        "/containers/create?name=shares",
        {"Image": "busybox", "Cmd": SHORT_SLEEP, "HostConfig": {"NetworkMode": "container:web"}},
    ),
    Step("container stopped", "POST", "/containers/create?name=stopped", {"Image": "busybox", "Cmd": SHORT_SLEEP}),
    Step("make m", "POST", "/networks/create", {"Name": "m", **_subnet("10.96.0.0/24")}),
    *_run("elsewhere", "m"),
    *_linked("plain", "web"),
    *_linked("aliased", "web:db"),
    *_linked("dashed", "web:a-b", "quiet:x"),
    *_linked("ranges", "many", "mixed:x", "datagrams:db", "published:pq"),
    *_linked("slashes", "/web:/other/db"),
    *_linked("twice", "web:db", "quiet:db"),
    *_linked("through", "shares:db"),
    *_linked("own", "web:db", Env=["DB_PORT=mine", "DB_NAME"]),
    *_linked("ends", "stopped:db"),
    *_linked("toelsewhere", "elsewhere:db"),
    *_linked("unknown", "nosuch:db"),
    *_linked("selfish", "selfish:db"),
    *_linked("hostly", "hosted:db"),
    *_linked("toomany", "web:db:x"),
    *_linked("empty", ""),
    *_linked("noalias", "web:"),
    *_linked("noname", ":db"),
    *_linked("fromhost", "web:db", mode="host"),
    *_linked("fromnone", "web:db", mode="none"),
    *_linked("fromshared", "web:db", mode="container:quiet"),
    *_linked("cross", "web:db", **_on("bridge", "web:other")),
    *[_exec(name, _ENV) for name in ("plain", "aliased", "dashed", "ranges", "twice", "through", "slashes", "own", "fromnone")],
    *[_exec(name, "cat /etc/hosts") for name in ("plain", "aliased", "dashed", "slashes", "through", "fromnone")],
    *[
        _shown(name)
        for name in ("web", "plain", "aliased", "dashed", "slashes", "twice", "through", "ends", "fromhost", "fromnone", "cross")
    ],
    _names("web"),
    _exec("aliased", "ping -c 1 -W 1 db >/dev/null && echo reached"),
    Step("rename the linked one", "POST", "/containers/web/rename?name=site"),
    _shown("aliased", " to the renamed one"),
    Step("rename the linking one", "POST", "/containers/aliased/rename?name=renamed"),
    _shown("renamed", " by its new name"),
    _names("site"),
    Step("stop the linked one", "POST", "/containers/site/stop?t=0"),
    Step("start the linked one again", "POST", "/containers/site/start"),
    # at which address is each engine's own choice
    _exec("slashes", "sed 's/172[0-9.]*/ADDRESS/' /etc/hosts"),
    _exec("slashes", "ping -c 1 -W 1 db >/dev/null && echo reached"),
    Step("restart the linking one", "POST", "/containers/renamed/restart?t=0"),
    _exec("renamed", "sed 's/172[0-9.]*/ADDRESS/' /etc/hosts"),
    _exec("renamed", _ENV + " | sed 's/172[0-9.]*/ADDRESS/'"),
    Step("remove a link that is none", "DELETE", "/containers/plain?link=1"),
    Step("remove a link of nobody", "DELETE", "/containers/nosuch/db?link=1"),
    Step("remove a link", "DELETE", "/containers/renamed/db?link=1"),
    _shown("renamed", " without its link"),
    _exec("renamed", "cat /etc/hosts"),
    Step("remove a link again", "DELETE", "/containers/renamed/db?link=1"),
    Step("remove the linked one", "DELETE", "/containers/site?force=1"),
    _shown("plain", " to nobody"),
    Step("restart what linked to it", "POST", "/containers/plain/restart?t=0"),
]

USERS = [
    Step("make n", "POST", "/networks/create", {"Name": "n", **_subnet("10.91.0.0/24")}),
    *_run("n-one", "n", Env=["A=1"], ExposedPorts=_ports("80/tcp")),
    *_linked("n-two", "n-one:db", mode="n", **_on("n", "n-one:db")),
    *_linked("n-host-only", "n-one:db", mode="n"),
    *_run("n-endpoint-only", "n", **_on("n", "n-one:db", "n-later:later", "n-one")),
    *_run("n-bad", "n", **_on("n", "a:b:c")),
    *_run("n-other", "n"),
    *_run("n-taken", "n", **_on("n", "n-one:n-other")),
    *_run("n-upper", "n", **_on("n", "n-one:Upper")),
    *[_shown(name) for name in ("n-two", "n-host-only", "n-endpoint-only")],
    _exec("n-two", _ENV),
    _exec("n-two", "cat /etc/hosts"),
    *_asked("n-two", "db", "n-one", "db.n", "nosuch.n"),
    *_asked("n-host-only", "db"),
    *_asked("n-endpoint-only", "db", "later", "n-one"),
    *_asked("n-other", "db"),
    *_asked("n-taken", "n-other", "n-other.n"),
    *_asked("n-upper", "Upper"),
    _exec("n-two", "ping -c 1 -W 1 db >/dev/null && echo reached"),
    *_run("n-later", "n"),
    *_asked("n-endpoint-only", "later", again=" | cat"),
    Step("rename one of a network", "POST", "/containers/n-endpoint-only/rename?name=n-renamed"),
    *_asked("n-renamed", "db"),
    Step(
        "connect with a link", "POST", "/networks/n/connect", {"Container": "quiet", "EndpointConfig": {"Links": ["n-one:late"]}}
    ),
    Step(
        "connect with a bad link", "POST", "/networks/n/connect", {"Container": "dashed", "EndpointConfig": {"Links": ["a:b:c"]}}
    ),
    _shown("quiet"),
    *_asked("quiet", "late", "db"),
]

STEPS = [*BRIDGE, *USERS]
