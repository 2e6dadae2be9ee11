"""What docker-py is asked to do, in this order: against dockerd 28.5.2, whose answers are recorded, and against us.

``python -m clients.docker_py_steps SOCKET ARCHIVE`` (in ``tests/``) records the answers of the daemon behind that socket, into which it
loads the archive of the image ``busybox``.
"""

from __future__ import annotations

import gc
import io
import json
import re
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
from docker import errors, types
from docker.models.containers import Container

RECORDED = Path(__file__).parent / "dockerd_28_5_docker_py.json"
VERSION = "1.51"
#: Of the daemon's machine and store, not of the object. The classic builder's parents are no images here; our runtime has its own name;
#: ``OomKillDisable`` is null, and on control groups of version 1 dockerd makes false of it.
_OWN = frozenset(
    {
        *("GraphDriver", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "Metadata", "Mountpoint", "Pid", "SandboxKey"),
        *("AppArmorProfile", "CgroupnsMode", "Subnet", "Gateway", "IPAddress", "IPv4Address", "LastTagTime", "Size", "time", "timeNano"),
        *("VirtualSize", "RootFS", "SharedSize", "Created", "Parent", "DockerVersion", "OomKillDisable", "Runtime"),
        *("SandboxID", "EndpointID", "NetworkID"),
    }
)  # fmt: skip
Answers = dict[str, Any]
Step = Callable[[docker.DockerClient], Any]
STEPS: dict[str, Step] = {}


def step(function: Step) -> Step:
    """Registers a step under its function's name."""
    STEPS[function.__name__.replace("_", " ").strip()] = function
    return function


def sleeping(client: docker.DockerClient, name: str, **options: Any) -> Container:
    return client.containers.run("busybox", ["sleep", "1000"], detach=True, name=name, network_mode="none", **options)


def refusal(call: Callable[[], object]) -> list[Any]:
    """Class, status and text of the error that a call raises."""
    try:
        return ["done", repr(call())]
    except errors.APIError as error:
        return [type(error).__name__, error.status_code, error.explanation]
    except errors.DockerException as error:
        return [type(error).__name__, str(error)]


def archive(**files: bytes) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1_700_000_000
            tar.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def members(pieces: Iterator[bytes]) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return {
            entry.name: (
                file.read().decode()
                if entry.isreg() and entry.size < 100 and (file := tar.extractfile(entry))
                else entry.linkname
            )
            for entry in tar.getmembers()
            if entry.name.count("/") < 2
        }


# What a run returns


@step
def output_of_a_run(client: docker.DockerClient) -> Any:
    run = client.containers.run
    script = ["sh", "-c", "echo out; echo err >&2"]
    streams: tuple[dict[str, bool], ...] = ({}, {"stderr": True}, {"stdout": False, "stderr": True}, {"tty": True})
    return [run("busybox", script, remove=True, network_mode="none", **chosen).decode() for chosen in streams]


@step
def failures_of_a_run(client: docker.DockerClient) -> Any:
    run = client.containers.run
    return [
        refusal(lambda: run("busybox", ["sh", "-c", "echo why >&2; exit 3"], remove=True, network_mode="none")),
        refusal(lambda: run("busybox", ["/no/such"], remove=True, network_mode="none"))[:2],
        refusal(lambda: run("busybox", ["/etc"], remove=True, network_mode="none"))[:2],
        refusal(lambda: run("busybox", name="a b", network_mode="none")),
        refusal(lambda: run("busybox", mem_limit="1k", network_mode="none")),
        refusal(lambda: run("busybox", network_mode="container:nosuch")),
    ]


# Containers


@step
def a_container_with_much(client: docker.DockerClient) -> Any:
    client.volumes.create("data")
    container = sleeping(
        client,
        "much",
        cap_add=["NET_ADMIN"],
        cap_drop=["MKNOD"],
        cpu_period=100000,
        cpu_quota=50000,
        cpu_shares=512,
        cpuset_cpus="0",
        devices=["/dev/zero:/dev/null2:r"],
        dns=["10.0.0.1"],
        dns_opt=["ndots:2"],
        dns_search=["example.test"],
        domainname="example.test",
        environment={"A": "b"},
        extra_hosts={"there": "10.0.0.2"},
        group_add=["audio2", "10"][1:],
        healthcheck={"test": ["CMD", "true"], "interval": 10**12},
        hostname="here",
        init=True,
        labels={"a": "b"},
        log_config=types.LogConfig(type="json-file", config={"max-size": "1m"}),
        mem_limit="64m",
        mem_reservation="32m",
        mounts=[
            types.Mount("/more", "more", type="volume", read_only=True, labels={"c": "d"}),
            types.Mount("/t2", None, type="tmpfs", tmpfs_size=65536, tmpfs_mode=0o700),
        ],
        oom_score_adj=10,
        pids_limit=50,
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 3},
        security_opt=["no-new-privileges"],
        shm_size="1m",
        stop_signal="SIGKILL",
        sysctls={"net.ipv4.ip_forward": "1"},
        tmpfs={"/t": "size=64k"},
        ulimits=[types.Ulimit(name="nofile", soft=100, hard=200)],
        user="1:2",
        volumes={"data": {"bind": "/data", "mode": "rw"}, "/tmp": {"bind": "/host", "mode": "ro"}},
        working_dir="/bin",
    )
    container.reload()
    shown = container.attrs
    shown["Mounts"].sort(key=lambda mount: str(mount["Destination"]))
    shown["State"].pop("Health")
    container.remove(force=True)
    return shown


@step
def a_plain_container_through_its_life(client: docker.DockerClient) -> Any:
    container = client.containers.create("busybox", ["sleep", "1000"], name="plain", network_mode="none")
    seen = [container.attrs, container.status, container.name, container.labels]
    for verb, arguments in (
        ("start", {}),
        ("pause", {}),
        ("unpause", {}),
        ("restart", {"timeout": 0}),
        ("rename", {"name": "other"}),
        ("kill", {"signal": "KILL"}),
    ):
        getattr(container, verb)(**arguments)
        if verb == "kill":
            seen.append(container.wait())
        container.reload()
        seen.append([verb, container.status, container.name, container.attrs["State"]["ExitCode"]])
    seen.append(refusal(container.pause))
    container.remove()
    seen.append(refusal(container.reload))
    return seen


@step
def refusals_of_containers(client: docker.DockerClient) -> Any:
    container = sleeping(client, "one")
    get = client.containers.get
    seen = [
        refusal(lambda: get("nosuch")),
        refusal(lambda: client.containers.create("nosuch:1")),
        refusal(lambda: sleeping(client, "one")),
        refusal(container.remove),
        refusal(lambda: container.kill(signal="NOSUCH")),
        refusal(lambda: container.rename("one")),
        refusal(lambda: container.exec_run(["/no/such"]))[:1],
        refusal(lambda: container.get_archive("/nosuch")),
        refusal(lambda: container.put_archive("/nosuch", archive(a=b"b"))),
        refusal(lambda: container.update(mem_limit=1)),
        refusal(lambda: container.resize(10, 20))[:2],
        refusal(container.unpause),
        refusal(lambda: client.containers.list(filters={"nosuch": "x"})),
    ]
    container.remove(force=True)
    return seen


@step
def lists(client: docker.DockerClient) -> Any:
    for name, labels in (("one", {"a": "b"}), ("two", {"a": "c"})):
        sleeping(client, name, labels=labels)
    client.containers.get("two").kill()
    client.containers.get("two").wait()
    names = []
    for options in (
        {},
        {"all": True},
        {"limit": 1},
        {"before": "two", "all": True},
        {"since": "one", "all": True},
        {"filters": {"status": "exited"}},
        {"filters": {"label": ["a=b"]}},
        {"filters": {"exited": 137}},
        {"all": True, "filters": {"ancestor": "busybox"}},
        {"all": True, "filters": {"name": "^/t"}},
    ):
        names.append([one.name for one in client.containers.list(**options)])
    [sparse] = client.containers.list(sparse=True)
    shown = {**sparse.attrs, "Status": sparse.attrs["Status"].split()[0]}
    for name in ("one", "two"):
        client.containers.get(name).remove(force=True)
    return [names, shown]


@step
def logs(client: docker.DockerClient) -> Any:
    container = client.containers.create(
        "busybox", ["sh", "-c", "for n in 1 2 3; do echo $n; done; echo e >&2"], network_mode="none"
    )
    container.start()
    container.wait()
    seen = [
        container.logs(stderr=False).decode(),
        container.logs(stdout=False).decode(),
        container.logs(stderr=False, tail=1).decode(),
        b"".join(container.logs(stderr=False, stream=True, follow=True)).decode(),
        container.logs(since=int(time.time()) + 1000).decode(),
        container.logs(until=1).decode(),
        re.sub(r"[0-9]", "0", container.logs(stderr=False, timestamps=True, tail=1).decode()),
    ]
    container.remove()
    return seen


@step
def execs(client: docker.DockerClient) -> Any:
    container = sleeping(client, "one")
    seen: list[Any] = [
        container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True),
        container.exec_run("id -u", user="65534"),
        container.exec_run("env", environment={"X": "y"}, workdir="/bin").output.decode().splitlines()[-2:],
        container.exec_run("pwd", workdir="/etc").output,
        container.exec_run("true", detach=True).output,
        [*container.exec_run(["sh", "-c", "echo 1"], stream=True).output],
        container.exec_run("tty", tty=True).output,
    ]
    made = client.api.exec_create(container.id, ["sleep", "1000"], tty=True, privileged=True)["Id"]
    before = client.api.exec_inspect(made)
    client.api.exec_start(made, detach=True)
    after = client.api.exec_inspect(made)
    seen += [before, after, len(client.api.inspect_container("one")["ExecIDs"])]
    container.remove(force=True)
    seen.append(refusal(lambda: client.api.exec_inspect(made))[:2])
    return json.loads(json.dumps(seen, default=lambda data: data.decode()))


@step
def what_is_attached(client: docker.DockerClient) -> Any:
    container = client.containers.create("busybox", ["cat"], stdin_open=True, network_mode="none")
    reader = client.api.attach_socket(container.id, params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    reader._sock.sendall(b"hello\n")
    reader._sock.shutdown(1)
    received = b""
    while piece := reader._sock.recv(100):
        received += piece
    reader._sock.close()
    status = container.wait()
    seen = [received.decode(), status, container.logs().decode()]
    container.remove()
    return seen


@step
def files(client: docker.DockerClient) -> Any:
    container = sleeping(client, "one")
    container.exec_run("mkdir /tmp")
    put = container.put_archive("/tmp", archive(a=b"one\n", b=b"two\n"))
    container.exec_run(["sh", "-c", "rm /etc/group; echo > /etc/passwd; ln -s /etc /tmp/link"])
    pieces, stat = container.get_archive("/tmp/a")
    linked, link = container.get_archive("/tmp/link")
    seen = [
        put,
        members(pieces),
        {name: stat[name] for name in ("name", "size", "mode", "linkTarget")},
        {name: link[name] for name in ("name", "linkTarget")},
        members(linked),
        sorted(container.diff(), key=lambda change: str(change["Path"])),
        "etc/passwd" in members(container.export()),
    ]
    container.remove(force=True)
    return seen


@step
def figures(client: docker.DockerClient) -> Any:
    container = sleeping(client, "one", mem_limit="64m")
    stats = container.stats(stream=False)
    top = container.top()
    rows = container.top(ps_args="-o pid,args")
    updated = container.update(cpu_shares=256, mem_limit="32m", memswap_limit="32m")
    container.reload()
    seen = [
        sorted(stats),
        sorted(stats["cpu_stats"]),
        sorted(stats["precpu_stats"]),
        stats["memory_stats"]["limit"],
        sorted(stats["pids_stats"]),
        top["Titles"],
        [row[-1] for row in top["Processes"]],
        rows["Titles"],
        updated["Warnings"] or [],
        [container.attrs["HostConfig"][name] for name in ("CpuShares", "Memory", "MemorySwap")],
    ]
    container.remove(force=True)
    return seen


# Images


@step
def a_build(client: docker.DockerClient) -> Any:
    dockerfile = (
        b'FROM busybox\nARG WHO=x\nLABEL of=$WHO\nENV A=b\nWORKDIR /w\nCOPY a .\nEXPOSE 80\nVOLUME /v\nUSER 1\nCMD ["cat", "a"]\n'
    )
    image, lines = client.images.build(
        fileobj=io.BytesIO(archive(Dockerfile=dockerfile, a=b"copied\n")),
        custom_context=True,
        tag="built:1",
        buildargs={"WHO": "me"},
        labels={"c": "d"},
        rm=True,
        shmsize=1 << 20,
    )
    steps = [line["stream"] for line in lines if line.get("stream", "").startswith("Step")]
    history = [entry["CreatedBy"] for entry in image.history()][:8]
    ran = client.containers.run("built:1", remove=True, network_mode="none").decode()
    return [image.attrs, image.tags, image.labels, steps, history, ran]


@step
def builds_that_fail(client: docker.DockerClient) -> Any:
    def build(text: str) -> list[Any]:
        return refusal(lambda: client.images.build(fileobj=io.BytesIO(text.encode()), rm=True))

    return [build("NOSUCH x\n"), build("FROM busybox\nRUN exit 7\n"), build(""), build("FROM busybox\nCOPY nosuch /\n")[:1]]


@step
def images(client: docker.DockerClient) -> Any:
    image = client.images.get("busybox")
    seen: list[Any] = [
        image.tag("other/name", tag="2"),
        sorted(client.images.get("busybox").tags),
        sorted(tag for one in client.images.list() for tag in one.tags),
        [one.tags for one in client.images.list(name="other/name")],
        [one.tags for one in client.images.list(filters={"label": "of=me"})],
        [one.tags for one in client.images.list(filters={"dangling": True})],
        sorted(name for name in client.images.list(name="busybox")[0].attrs),
    ]
    saved = b"".join(client.images.get("other/name:2").save(named=True))
    client.images.remove("other/name:2")
    loaded = client.images.load(saved)
    seen += [
        [one.tags.count("other/name:2") for one in loaded],
        refusal(lambda: client.images.get("nosuch")),
        refusal(lambda: client.images.remove("nosuch")),
        refusal(lambda: image.tag("UPPER")),
        refusal(lambda: [*client.images.load(b"garbage")])[:1],
    ]
    client.images.remove("other/name:2")
    return seen


@step
def a_commit(client: docker.DockerClient) -> Any:
    container = client.containers.run("busybox", ["touch", "/made"], detach=True, network_mode="none")
    container.wait()
    image = container.commit(
        "committed", "1", message="why", author="me", changes=["ENV X=y", 'CMD ["ls", "/made"]'], conf={"Labels": {"l": "m"}}
    )
    container.remove()
    seen = [image.attrs, client.containers.run("committed:1", remove=True, network_mode="none").decode()]
    client.images.remove("committed:1")
    return seen


@step
def an_import(client: docker.DockerClient) -> Any:
    made = json.loads(client.api.import_image_from_data(archive(a=b"b"), repository="imported", tag="1").splitlines()[-1])
    image = client.images.get("imported:1")
    shown = [sorted(made), image.attrs]
    client.images.remove("imported:1")
    return shown


# Networks and volumes


@step
def networks(client: docker.DockerClient) -> Any:
    pool = types.IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.254", iprange="10.77.0.0/28", aux_addresses={"x": "10.77.0.9"})
    network = client.networks.create(
        "front",
        driver="bridge",
        ipam=types.IPAMConfig(pool_configs=[pool]),
        labels={"a": "b"},
        options={"com.docker.network.bridge.enable_icc": "true"},
        internal=True,
        check_duplicate=True,
    )
    network.reload()
    container = client.containers.create("busybox", ["sleep", "1000"], name="one", network="front", hostname="h")
    second = client.networks.create("back", driver="bridge")
    second.connect(container, aliases=["alias"], ipv4_address=None)
    container.start()
    container.reload()
    network.reload()
    endpoints = container.attrs["NetworkSettings"]["Networks"]
    seen = [
        network.attrs,
        network.attrs["IPAM"]["Config"],
        endpoints,
        endpoints["front"]["IPAddress"],
        [one.name for one in network.containers],
        [one.name for one in client.networks.list(names=["front"])],
        sorted(one.name for one in client.networks.list(filters={"type": "custom"})),
        refusal(network.remove)[2].partition(" (")[0],
        refusal(lambda: network.connect(container)),
        refusal(lambda: client.networks.create("front", check_duplicate=True)),
        refusal(lambda: client.networks.get("nosuch")),
        refusal(lambda: client.networks.create("bad", driver="nosuch"))[:2],
        refusal(lambda: client.networks.get("bridge").remove()),
        client.containers.get("one")
        .exec_run(["sh", "-c", "nslookup one 127.0.0.11 >/dev/null; ip -o link | grep -c eth"])
        .output.decode(),
    ]
    second.disconnect(container)
    seen.append(refusal(lambda: second.disconnect(container))[:2])
    container.remove(force=True)
    network.remove()
    seen.append(sorted(client.networks.prune()["NetworksDeleted"]))
    return seen


@step
def ports(client: docker.DockerClient) -> Any:
    container = client.containers.run(
        "busybox", ["sleep", "1000"], detach=True, name="one", ports={"80/tcp": ("127.0.0.1", 18081), "53/udp": 18082, "81": None}
    )
    container.reload()
    seen = {name: bindings and len(bindings) for name, bindings in container.ports.items()}
    fixed = [container.ports["80/tcp"], container.ports["53/udp"]]
    listed = client.api.containers(filters={"name": "one"})[0]["Ports"]
    container.remove(force=True)
    return [seen, fixed, sorted({(port["PrivatePort"], port["Type"], port.get("IP", "")) for port in listed})]


@step
def volumes(client: docker.DockerClient) -> Any:
    volume = client.volumes.create("rows", driver="local", labels={"a": "b"})
    container = client.containers.create("busybox", volumes=["rows:/v", "/anonymous"], network_mode="none")
    seen = [
        volume.attrs,
        [one.name for one in client.volumes.list(filters={"name": "rows"})],
        [one.name for one in client.volumes.list(filters={"label": "a=b", "dangling": False})],
        refusal(volume.remove),
        refusal(lambda: client.volumes.get("nosuch")),
        refusal(lambda: client.volumes.create("bad/name")),
        refusal(lambda: client.volumes.create("other", driver="nosuch"))[:2],
        refusal(lambda: client.volumes.list(filters={"nosuch": "x"})),
    ]
    container.remove(v=True)
    pruned = client.volumes.prune(filters={"all": True})
    # the anonymous one, whose name nobody chose, before the others
    seen.append(sorted(pruned["VolumesDeleted"], key=lambda name: (-len(name), name)))
    return seen


# The engine


@step
def the_engine(client: docker.DockerClient) -> Any:
    version, info, usage = client.version(), client.info(), client.df()
    return [
        client.ping(),
        sorted(version),
        [component["Name"] for component in version["Components"]][:1],
        sorted(set(info) - {"FirewallBackend", "DriverStatus", "SystemStatus", "Containerd", "KernelMemoryTCP"}),
        sorted(set(usage) - {"Moby"}),
        refusal(lambda: client.login("u", "p", registry="127.0.0.1:1"))[:1],
    ]


@step
def told_events(client: docker.DockerClient) -> Any:
    since = time.time()
    container = client.containers.run("busybox", ["true"], detach=True, name="told", labels={"a": "b"}, network_mode="none")
    container.wait()
    container.rename("renamed")
    container.remove()
    stream = client.events(since=since, until=time.time() + 1, decode=True, filters={"container": container.id, "nosuch": "x"})
    return [{**event, "Actor": {**event["Actor"], "Attributes": _without_duration(event)}} for event in stream]


def _without_duration(event: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in event["Actor"]["Attributes"].items() if name != "execDuration"}


@step
def prunes(client: docker.DockerClient) -> Any:
    container = client.containers.create("busybox", name="gone", network_mode="none")
    pruned = client.containers.prune()
    client.images.get("busybox").tag("pruned:1")
    left = client.images.prune(filters={"dangling": True})
    client.images.remove("pruned:1")
    return [pruned["ContainersDeleted"] == [container.id], left["ImagesDeleted"]]


def take(path: Path) -> Answers:
    """The answer of every step, or the error it ended with, against the daemon behind a socket that has the image ``busybox``."""
    client = docker.DockerClient(f"unix://{path}", version=VERSION, timeout=60)
    try:
        return {name: _shared(_answer(client, function), {}) for name, function in STEPS.items()}
    finally:
        client.close()
        # docker-py keeps hijacked connections in cycles of references; a monitor waits for clients that have not hung up
        gc.collect()


def _answer(client: docker.DockerClient, function: Step) -> Any:
    try:
        return json.loads(json.dumps(function(client)))
    except errors.DockerException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)


def _shared(value: Any, seen: dict[str, str]) -> Any:
    """An answer without what no two engines have in common; an id has the number of its first mention."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if name not in _OWN}
        return {_shared(name, seen): _shared(item, seen) for name, item in kept.items()}
    if isinstance(value, list):
        return [_shared(item, seen) for item in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"\b[0-9a-f]{64}\b", lambda found: seen.setdefault(found[0][:12], f"ID{len(seen)}"), value)
    value = re.sub(r"\b[0-9a-f]{12}\b", lambda found: seen.get(found[0], "SHORT"), value)
    value = re.sub(
        r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", lambda found: found[0] if found[0].startswith("0001") else "TIME", value
    )
    value = re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", value)
    value = re.sub(r"^overlay(2|fs)$", "OVERLAY", value)
    return re.sub(r"/[\w/.-]*/volumes/", "VOLUMES/", value)


if __name__ == "__main__":
    socket, image = Path(sys.argv[1]), Path(sys.argv[2])
    docker.DockerClient(f"unix://{socket}", version=VERSION).images.load(image.read_bytes())
    RECORDED.write_text(json.dumps(take(socket), indent=1, sort_keys=True) + "\n")
