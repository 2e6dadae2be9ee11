"""``-p`` and ``--expose``."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.values import ports
from moby_tui.errors import InvalidArgument


def bound(spec: str) -> list[tuple[str, str, str]]:
    return [(port, binding.host_ip, binding.host_port) for port, binding in ports.parse_port(spec)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("80", [("80/tcp", "", "")]),
        ("8080:80", [("80/tcp", "", "8080")]),
        ("8080:80/udp", [("80/udp", "", "8080")]),
        ("127.0.0.1:8080:80", [("80/tcp", "127.0.0.1", "8080")]),
        ("127.0.0.1::80", [("80/tcp", "127.0.0.1", "")]),
        ("[::1]:8080:80", [("80/tcp", "::1", "8080")]),
        ("0:80", [("80/tcp", "", "0")]),
        ("8000-8001:80-81", [("80/tcp", "", "8000"), ("81/tcp", "", "8001")]),
        ("8000-8010:80", [("80/tcp", "", "8000-8010")]),
        ("80-81", [("80/tcp", "", ""), ("81/tcp", "", "")]),
        ("published=8080,target=80,protocol=udp", [("80/udp", "", "8080")]),
        ("target=80,host_ip=::1,published=1", [("80/tcp", "::1", "1")]),
    ],
)
def test_port_is_read(spec: str, expected: list[tuple[str, str, str]]) -> None:
    assert bound(spec) == expected


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "x",
        "0",
        "8080:",
        ":80:",
        "65536",
        "80/icmp",
        "80/",
        "81-80",
        "1-2:1-3",
        "1:2:3:4",
        "nohost:1:80",
        "published=1",
        "²:80",
        "80,443",
    ],
)
def test_port_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument):
        ports.parse_port(spec)


@given(
    st.sampled_from(["", "10.1.2.3", "[fe80::1]"]),
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.sampled_from(["tcp", "udp", "sctp", "TCP"]),
)
def test_port_round_trip(address: str, host: int, inside: int, protocol: str) -> None:
    spec = f"{address + ':' if address else ''}{host}:{inside}/{protocol}"
    assert bound(spec) == [(f"{inside}/{protocol.lower()}", address.strip("[]"), str(host))]


@given(st.text(alphabet="0123456789:-/[].tcpudp=,", max_size=20))
def test_port_is_read_or_refused(spec: str) -> None:
    with contextlib.suppress(InvalidArgument):
        assert ports.parse_port(spec)


def test_bindings_of_one_port_come_together() -> None:
    bindings = ports.port_bindings(["80:80", "81:80", "80:80"])
    assert [binding.host_port for binding in bindings["80/tcp"] or []] == ["80", "81"]
    assert ports.exposed_ports(["90-91/udp"], bindings) == {"80/tcp": {}, "90/udp": {}, "91/udp": {}}
