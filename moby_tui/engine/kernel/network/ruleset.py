"""The nftables rules of a whole network namespace, whoever made them, as far as one can tell from them what is dropped."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from moby_tui.engine.kernel.network import nftables as nft
from moby_tui.engine.kernel.network.netlink import (
    NETLINK_NETFILTER,
    NLM_F_DUMP,
    attributes,
    each_attribute,
    message,
    open_socket,
    request,
)

#: linux/netfilter.h, NFPROTO_*
FAMILIES = {1: "inet", socket.AF_INET: "ip", socket.AF_INET6: "ip6"}

_SUBSYSTEM = 10
_GETCHAIN, _GETRULE = 4, 7
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER = 1
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_IMMEDIATE_DATA, _DATA_VERDICT, _VERDICT_CODE = 2, 2, 1
#: Expressions that let every packet go on to what stands behind them.
_IDLE = frozenset(("counter", "log"))


class BaseChain(NamedTuple):
    """A chain that hangs at a hook (``nftables.FORWARD``). ``drops`` says that its policy is to drop."""

    family: str
    table: str
    name: str
    kind: str
    hook: int
    drops: bool


class Rule(NamedTuple):
    """A rule; ``expressions`` are names with what the kernel has of them, undecoded."""

    family: str
    table: str
    chain: str
    expressions: tuple[tuple[str, bytes], ...]

    @property
    def refuses_all(self) -> bool:
        """Whether it drops or rejects whatever comes to it."""
        rest = [one for one in self.expressions if one[0] not in _IDLE]
        return len(rest) == 1 and (rest[0][0] == "reject" or _is_rejecting_target(*rest[0]) or _is_drop(*rest[0]))

    def names(self, interface: str) -> bool:
        """Whether an interface's name stands in it."""
        return any(interface.encode() in data for _, data in self.expressions)


def base_chains() -> list[BaseChain]:
    """Those of the families ip, ip6 and inet. Raises ``OSError``."""
    chains = []
    for answer in _ask(_GETCHAIN):
        parts = attributes(answer[4:])
        if answer[0] in FAMILIES and _CHAIN_HOOK in parts:
            hook = _number(attributes(parts[_CHAIN_HOOK]).get(_HOOK_NUMBER, b""))
            drops = _number(parts.get(_CHAIN_POLICY, b"")) == nft.DROP
            table, name, kind = [_text(parts.get(key, b"")) for key in (_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_TYPE)]
            chains.append(BaseChain(FAMILIES[answer[0]], table, name, kind, hook, drops))
    return chains


def rules() -> list[Rule]:
    """Those of the families ip, ip6 and inet, in their order. Raises ``OSError``."""
    rules = []
    for answer in _ask(_GETRULE):
        if answer[0] in FAMILIES:
            parts = attributes(answer[4:])
            items = [attributes(item) for _, item in each_attribute(parts.get(_RULE_EXPRESSIONS, b""))]
            expressions = tuple((_text(item.get(_EXPRESSION_NAME, b"")), item.get(_EXPRESSION_DATA, b"")) for item in items)
            rules.append(Rule(FAMILIES[answer[0]], _text(parts[_RULE_TABLE]), _text(parts[_RULE_CHAIN]), expressions))
    return rules


def _ask(kind: int) -> list[bytes]:
    with open_socket(NETLINK_NETFILTER) as link:
        return request(link, message(_SUBSYSTEM << 8 | kind, NLM_F_DUMP, struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)))


def _is_rejecting_target(name: str, data: bytes) -> bool:
    """iptables-nft leaves REJECT to a module of iptables."""
    return name == "target" and b"REJECT\0" in data


def _is_drop(name: str, data: bytes) -> bool:
    verdict = attributes(attributes(attributes(data).get(_IMMEDIATE_DATA, b"")).get(_DATA_VERDICT, b""))
    return name == "immediate" and _number(verdict.get(_VERDICT_CODE, b"")) == nft.DROP


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big") if data else -1


def _text(data: bytes) -> str:
    return data[:-1].decode(errors="replace")
