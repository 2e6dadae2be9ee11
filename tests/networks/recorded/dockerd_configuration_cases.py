"""What is asked of dockerd and of this engine about networks that are only a configuration (``--config-only``), and those made from one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from networks.recorded.dockerd_cases import BRIDGE, SHORT_SLEEP, Step, _list

_MTU = "com.docker.network.driver.mtu"


def _create(step: str, name: str, **body: Any) -> Step:
    return Step(f"create {step}", "POST", "/networks/create", {"Name": name} | body)


def _only(step: str, name: str, **body: Any) -> Step:
    return _create(step, name, ConfigOnly=True, **body)


def _from(step: str, name: str, configuration: str, **body: Any) -> Step:
    return _create(step, name, ConfigFrom={"Network": configuration}, **body)


def _inspect(name: str, step: str = "") -> Step:
    return Step(f"inspect {step or name}", "GET", f"/networks/{quote(name)}")


def _remove(name: str, step: str = "") -> Step:
    return Step(f"remove {step or name}", "DELETE", f"/networks/{quote(name)}")


def _ipam(*pools: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"IPAM": {"Config": [*pools], **more}}


STEPS = [
    _only(
        "a configuration",
        "plan",
        **_ipam(
            {
                "Subnet": "10.77.0.0/24",
                "IPRange": "10.77.0.128/25",
                "Gateway": "10.77.0.9",
                "AuxiliaryAddresses": {"r": "10.77.0.200"},
            }
        ),
        Options={_MTU: "1400", BRIDGE + "enable_icc": "false", "odd": "kept"},
        Labels={"a": "b"},
    ),
    _only("an internal configuration", "inner", Internal=True),
    _inspect("plan"),
    _only("a configuration of nothing", "bare"),
    _inspect("bare"),
    _only("its name again", "bare"),
    _only("a configuration of IPv6", "six", **_ipam({"Subnet": "fd00:77::/64"}), EnableIPv6=True, EnableIPv4=False),
    _inspect("six"),
    _only("neither version", "neither", EnableIPv4=False),
    _inspect("neither"),
    _only("with the driver bridge", "driven", Driver="bridge"),
    _inspect("driven"),
    _remove("driven"),
    _only("with a driver that there is not", "odd-driven", Driver="nosuch"),
    _inspect("odd-driven"),
    _remove("odd-driven"),
    _only("with the driver host", "host-driven", Driver="host"),
    _only("with the driver null", "null-driven", Driver="null"),
    _inspect("null-driven"),
    _remove("null-driven"),
    _only("a configuration from a configuration", "both", ConfigFrom={"Network": "plan"}),
    _only("a configuration of a cluster", "clustered", Scope="swarm"),
    _only("a configuration called bridge", "bridge"),
    _only("a configuration of ingress", "entry", Ingress=True),
    _only("a wrong subnet", "wrong", **_ipam({"Subnet": "10.78.0.1/24"})),
    _only("wrong options", "wrong-option", Options={BRIDGE + "enable_icc": "maybe"}),
    _inspect("wrong-option"),
    _only("a subnet in use", "overlapping", **_ipam({"Subnet": "10.77.0.0/16"})),
    _inspect("overlapping"),
    _only("unknown IPAM", "ipam", **_ipam(Driver="nosuch")),
    _inspect("ipam"),
    _from("unknown IPAM from it", "from-ipam", "ipam"),
    _from("from a configuration", "made", "plan"),
    _inspect("made"),
    _inspect("plan", "plan in use"),
    _from("the same again", "again", "plan"),
    _from("from nothing", "from-bare", "bare"),
    _inspect("from-bare"),
    _from("from six", "from-six", "six", EnableIPv6=True, EnableIPv4=False),
    _inspect("from-six"),
    _from("from six without saying so", "from-six-too", "six"),
    _inspect("from-six-too"),
    _from("with labels of its own", "labelled", "bare", Labels={"own": "label"}),
    _inspect("labelled"),
    _from("with flags of its own", "flagged", "bare", Internal=True, Attachable=True),
    _inspect("flagged"),
    _from("with options of its own", "optioned", "bare", Options={_MTU: "1300"}),
    _from("with a subnet of its own", "subnetted", "bare", **_ipam({"Subnet": "10.79.0.0/24"})),
    _from("with an IPAM driver", "ipammed", "bare", IPAM={"Driver": "default"}),
    _from("with IPAM options", "ipam-options", "bare", IPAM={"Driver": "default", "Options": {"a": "b"}}),
    _from("with no options", "no-options", "bare", Options={}, IPAM={"Config": []}),
    _inspect("no-options"),
    _from("with IPv6 of its own", "own-six", "bare", EnableIPv6=True),
    _inspect("own-six"),
    _from("from what there is not", "x1", "nosuch"),
    _from("from a network", "x2", "made"),
    _from("from bridge", "x3", "bridge"),
    _from("from an empty name", "empty-name", ""),
    _inspect("empty-name"),
    _from("from wrong options", "x4", "wrong-option"),
    _from("from an overlapping one", "x5", "overlapping"),
    _from("from neither version", "from-neither", "neither"),
    _inspect("from-neither"),
    _from("with another driver", "x6", "bare", Driver="nosuch"),
    _from("for a cluster", "x7", "bare", Scope="swarm"),
    _list(driver=["null"]),
    _list(type=["custom"]),
    _list(dangling=["true"]),
    _list(label=["a=b"]),
    _remove("plan", "plan in use"),
    Step(
        "container on a configuration",
        "POST",
        "/containers/create?name=on-plan",
        {"Image": "busybox", "Cmd": SHORT_SLEEP, "HostConfig": {"NetworkMode": "plan"}},
    ),
    Step("start on a configuration", "POST", "/containers/on-plan/start"),
    Step("container goes", "DELETE", "/containers/on-plan?force=1"),
    Step(
        "container of a network",
        "POST",
        "/containers/create?name=on-made",
        {"Image": "busybox", "Cmd": SHORT_SLEEP, "HostConfig": {"NetworkMode": "made"}},
    ),
    Step("start on a network", "POST", "/containers/on-made/start"),
    Step("networks of d", "GET", "/containers/on-made/json#networks"),
    Step("connect to a configuration", "POST", "/networks/plan/connect", {"Container": "on-made"}),
    Step("disconnect from a configuration", "POST", "/networks/plan/disconnect", {"Container": "on-made"}),
    Step("stopped", "POST", "/containers/on-made/stop?t=0"),
    Step("connect a stopped one to a configuration", "POST", "/networks/plan/connect", {"Container": "on-made"}),
    Step("container d goes", "DELETE", "/containers/on-made?force=1"),
    Step("prune once", "POST", "/networks/prune"),
    Step("list once", "GET", "/networks#names"),
    Step("prune twice", "POST", "/networks/prune"),
    Step("list twice", "GET", "/networks#names"),
    _remove("from-six-too"),
    _only("a label", "tagged", Labels={"a": "b"}),
    _from("from a label", "from-tagged", "tagged", Labels={}),
    _inspect("from-tagged"),
    _remove("tagged", "tagged in use"),
    Step("prune of a label", "POST", f"/networks/prune?filters={quote(json.dumps({'label': ['a=b']}))}"),
    _remove("tagged", "tagged out of use"),
    _only("one more", "late"),
    _from("one more from it", "late-made", "late"),
    _remove("late-made"),
    _remove("late", "late out of use"),
]
