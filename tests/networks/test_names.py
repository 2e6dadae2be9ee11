"""Names on networks of users: what is answered, what is hostile, and the server's death."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pytest
from dnslib import QTYPE, RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.loop import Loop
from moby_tui.engine.kernel.network import netlink, netns
from moby_tui.engine.protocol import network as protocol
from moby_tui.engine.resources.networks.names import answers, sockets, zone
from moby_tui.engine.resources.networks.names.zone import Entry, Zones
from moby_tui.engine.runtime.monitor.name_service import NameService
from moby_tui.schema.container import ContainerCreate, EndpointSettings, HostConfig, NetworkingConfig
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.network import NetworkCreate

ENTRIES = [
    Entry("front", ["web", "www", "0123456789ab"], [ip_address("10.0.0.2"), ip_address("fd00::2")]),
    Entry("front", ["data", "www"], [ip_address("10.0.0.3")]),
]


def ask(name: str, kind: str = "A") -> DNSRecord | None:
    return answers.answer(answers.parse(DNSRecord.question(name, kind).pack()), ENTRIES)


def addresses(reply: DNSRecord | None) -> list[str]:
    assert reply is not None
    return sorted(str(record.rdata) for record in reply.rr)


@pytest.mark.parametrize("name", ["web", "WEB", "web.", "web.front", "Web.Front.", "0123456789ab"])
def test_a_container_by_each_of_its_names(name: str) -> None:
    assert addresses(ask(name)) == ["10.0.0.2"]


def test_all_who_have_a_name() -> None:
    assert addresses(ask("www")) == ["10.0.0.2", "10.0.0.3"]
    firsts = {str(ask("www").rr[0].rdata) for _ in range(64)}  # type: ignore[union-attr]
    assert firsts == {"10.0.0.2", "10.0.0.3"}


def test_a_name_without_an_address_of_the_kind_is_no_unknown_name() -> None:
    reply = ask("data", "AAAA")
    assert reply is not None and reply.header.rcode == RCODE.NOERROR and reply.rr == []
    assert addresses(ask("web", "AAAA")) == ["fd00::2"]
    assert addresses(ask("web", "MX")) == []


def test_names_by_address() -> None:
    assert addresses(ask("2.0.0.10.in-addr.arpa", "PTR")) == ["web.front."]
    assert addresses(ask(f"{ip_address('fd00::2').reverse_pointer}", "PTR")) == ["web.front."]
    assert ask("9.0.0.10.in-addr.arpa", "PTR") is None and ask("x.in-addr.arpa", "PTR") is None


def test_the_names_of_others_are_others_to_answer() -> None:
    assert ask("example.com") is None and ask("web.back") is None and ask("front") is None


def test_a_long_answer_says_so_unless_there_is_room() -> None:
    many = [Entry("front", ["www"], [ip_address(f"10.0.1.{number}") for number in range(1, 60)])]
    question = answers.parse(DNSRecord.question("www").pack())
    reply = answers.answer(question, many)
    assert reply is not None
    short = DNSRecord.parse(answers.fitting(reply, question))
    assert short.header.tc == 1 and short.rr == []
    roomy = DNSRecord.question("www")
    roomy.add_ar(__import__("dnslib").EDNS0(udp_len=4096))
    whole = DNSRecord.parse(answers.fitting(reply, answers.parse(roomy.pack())))
    assert whole.header.tc == 0 and len(whole.rr) == 59


@given(st.binary(max_size=120))
def test_what_is_no_question_is_refused(data: bytes) -> None:
    try:
        answers.answer(answers.parse(data), ENTRIES)
    except answers.Malformed:
        assert len(data) < 12 or DNSRecord.parse(answers.refusal(data, "SERVFAIL")).header.qr == 1


@given(st.text(max_size=70), st.sampled_from([*QTYPE.forward]))
def test_every_name_and_type_is_answered_or_left_to_others(name: str, kind: int) -> None:
    try:
        data = DNSRecord.question(name or ".", QTYPE.get(kind)).pack()
    except Exception:
        return  # no name that can be asked for
    reply = answers.answer(answers.parse(data), ENTRIES)
    assert reply is None or reply.header.qr == 1


def test_zones_follow_their_files(tmp_path: Path) -> None:
    zones = Zones(str(tmp_path / "names"))
    zones.refresh()
    assert zones.seen_by("a") == []
    zone.write(tmp_path / "names", "n1", "a", "front", ["Web"], [ip_address("10.0.0.2")])
    zone.write(tmp_path / "names", "n2", "b", "back", ["data"], [ip_address("10.0.1.2")])
    zones.refresh()
    assert [entry.names for entry in zones.seen_by("a")] == [["web"]]
    (tmp_path / "names" / "n1" / "c").write_text("{ no entry")
    zone.write(tmp_path / "names", "n2", "a", "back", ["web"], [])
    zones.refresh()
    assert sorted(entry.names[0] for entry in zones.seen_by("a")) == ["data", "web", "web"]
    zone.path_of(tmp_path / "names", "n1", "a").unlink()
    zones.refresh()
    assert sorted(entry.network for entry in zones.seen_by("a")) == ["back", "back"]


@pytest.fixture
def engine(whole_engine: Engine) -> Engine:
    return whole_engine


def _servers(exec_root: Path) -> list[int]:
    found = subprocess.run(["pgrep", "-f", f"names.server {exec_root}/"], capture_output=True, text=True).stdout
    return [int(word) for word in found.split()]


async def start(engine: Engine, name: str, network: str, *aliases: str) -> str:
    networking = NetworkingConfig(endpoints_config={network: EndpointSettings(aliases=[*aliases] or None)})
    asked = ContainerCreate(
        image="busybox", cmd=["sleep", "1000"], host_config=HostConfig(network_mode=network), networking_config=networking
    )
    created = await engine.containers.create(asked, name=name)
    await engine.containers.start(created.id)
    return created.id


async def lookup(engine: Engine, container: str, name: str) -> str:
    ident = await engine.containers.exec_create(container, ExecCreate(cmd=["nslookup", name], attach_stdout=True))
    stream = await engine.containers.exec_start(ident, ExecStart())
    assert stream is not None
    return b"".join([data async for _, data in stream.output()]).decode()


def test_zones_follow_two_changes_within_one_tick_of_the_kernels_clock(tmp_path: Path) -> None:
    """The folder's time of change is the same after both."""
    folder = tmp_path / "names"
    zones = Zones(str(folder))
    tick = time.time_ns() + 10**9
    for container, seen in (("a", ["a"]), ("b", ["a", "b"])):
        zone.write(folder, "n1", container, "front", [container], [])
        for changed in (folder, folder / "n1"):
            os.utime(changed, ns=(tick, tick))
        zones.refresh()
        assert sorted(entry.names[0] for entry in zones.seen_by("a")) == seen


@pytest.mark.parametrize("program", ["/nonexistent", "/bin/false"])
def test_a_server_that_cannot_be_started_costs_its_monitor_nothing(tmp_path: Path, program: str) -> None:
    """It is tried again for as long as the container runs."""

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def children() -> int:
        return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())

    settings = protocol.NameService(container="a", servers=[], forwards=False, folder=str(tmp_path / "names"), program=[program])
    loop = Loop()
    service = NameService(loop, settings, [])
    before = descriptors(), children()
    for _ in range(4):
        service.register()
        if started := service._started:
            os.waitid(os.P_PID, started, os.WEXITED | os.WNOWAIT)
    service.close()
    # the last one is met by the next try
    assert descriptors() == before[0] and children() <= before[1] + 1
    loop.close()
    if started:
        os.waitpid(started, 0)


async def test_containers_find_each_other(engine: Engine) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    await engine.networks.create(NetworkCreate(name="back"))
    web, data, other = (
        await start(engine, "web", "front"),
        await start(engine, "data", "front", "db"),
        await start(engine, "other", "back"),
    )
    address = (await engine.containers.inspect(data)).network_settings.networks["front"].ip_address
    for name in ("data", "db", "data.front", data[:12]):
        assert f"Address: {address}" in await lookup(engine, web, name)
    assert "data.front" in await lookup(engine, web, address)
    assert address not in await lookup(engine, other, "data")
    await engine.containers.rename(data, "store")
    assert f"Address: {address}" in await lookup(engine, web, "store")
    await engine.networks.connect("front", other)
    assert f"Address: {address}" in await lookup(engine, other, "db")
    await engine.networks.disconnect("front", data)
    assert address not in await lookup(engine, web, "store")


async def test_a_container_of_the_default_network_gets_names_when_it_comes_into_one_that_has(engine: Engine) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    data = await start(engine, "data", "front")
    web = await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"]), name="web")
    await engine.containers.start(web.id)
    await engine.networks.connect("front", web.id)
    address = (await engine.containers.inspect(data)).network_settings.networks["front"].ip_address
    assert f"Address: {address}" in await lookup(engine, web.id, "data")
    # out of its only network with names, and in again
    for _ in range(2):
        await engine.networks.disconnect("front", web.id)
        await engine.networks.connect("front", web.id)
        assert f"Address: {address}" in await lookup(engine, web.id, "data")


class Upstream(asyncio.DatagramProtocol):
    """A server that knows one address for each name."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        self.transport.sendto(question.replyZone(f"{question.q.qname} 60 A 192.0.2.7").pack(), addr)


async def test_questions_are_forwarded_while_a_network_leads_outside(engine: Engine) -> None:
    upstream = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
    for name in ("inside", "outward"):
        await engine.networks.create(NetworkCreate(name=name, internal=name == "inside"))
    host = HostConfig(network_mode="inside", dns=[upstream])
    web = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=host))).id
    await engine.containers.start(web)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Upstream, local_addr=(upstream, 53))
    with closing(transport):
        seen = ["192.0.2.7" in await lookup(engine, web, "elsewhere.example")]
        for change in (engine.networks.connect, engine.networks.disconnect, engine.networks.connect):
            await change("outward", web)
            seen.append("192.0.2.7" in await lookup(engine, web, "elsewhere.example"))
    assert seen == [False, True, False, True]


async def test_a_killed_server_comes_back(engine: Engine, roots: tuple[Path, Path]) -> None:
    await engine.networks.create(NetworkCreate(name="front"))
    web = await start(engine, "web", "front")
    await start(engine, "data", "front")
    assert "Address: " in await lookup(engine, web, "data")
    (server,) = _servers(roots[1])
    os.kill(server, signal.SIGKILL)
    assert "data" in await lookup(engine, web, "data")
    while _servers(roots[1]) in ([], [server]):
        await asyncio.sleep(0.02)
    assert len(_servers(roots[1])) == 1


def test_the_name_sockets_of_a_namespace_replace_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a second call deletes anything: a deletion takes the kernel several milliseconds, which each start would wait for."""
    sent: list[bool] = []

    def send(family: int, data: bytes) -> None:
        netlink.send(family, data)
        # NFT_MSG_DELTABLE of the subsystem nftables (linux/netfilter/nf_tables.h)
        sent.append(any(kind & 0xFF == 2 and kind >> 8 for kind, _, _ in netlink.messages(data)))

    monkeypatch.setattr(sockets, "send", send)
    namespace = netns.create()
    opened = [sockets.open_in(namespace) for _ in range(2)]
    assert sent == [False, True]
    show = ["nsenter", f"--net=/proc/self/fd/{namespace}", "nft", "list", "table", "ip", "moby-names"]
    rules = subprocess.run(show, pass_fds=[namespace], capture_output=True, text=True, check=True).stdout
    with socket.socket(fileno=opened[1][0]) as datagrams, socket.socket(fileno=opened[1][1]) as stream:
        ports = [one.getsockname()[1] for one in (datagrams, stream)]
    assert [line.rpartition(":")[2] for line in rules.splitlines() if "dnat" in line] == [str(port) for port in ports]
    for descriptor in (*opened[0], namespace):
        os.close(descriptor)
