"""The contestants and the questions. A contestant is set up when the first row asks for it."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from bench import image, registry
from bench.peers import moby
from bench.peers.crun import Crun
from bench.peers.dashboard import Dashboard
from bench.peers.docker import Docker
from bench.peers.driven import SETTLED, DockerDriven
from bench.peers.images import Images
from bench.peers.networks import Networks
from bench.peers.podman import Podman
from bench.peers.requests import CONTAINERS, Requests
from bench.rows import Row
from bench.stage import Stage

BINARY = Path(__file__).parent.parent / "dist" / "moby"
IDLE = 10
KIBIBYTE = 1 / 1024
MEBIBYTE = KIBIBYTE / 1024


class Contest:
    """Each contestant on a stage of its own below ``base``; ``close`` takes the stages down."""

    def __init__(self, base: Path, peers_root: Path | None = None) -> None:
        """``peers_root``: see ``Docker`` and ``Podman``."""
        self._base = base
        self._peers_root = peers_root
        self._archive = base / "busybox.tar"
        self._stages = ExitStack()
        image.archive(self._archive)

    def close(self) -> None:
        self._stages.close()

    @property
    def has_newest_peers(self) -> bool:
        return self._peers_root is not None

    def _stage(self, name: str, cgroups: tuple[str, ...] = (), worker: str = "bench.runner", *arguments: str) -> Stage:
        return self._stages.enter_context(Stage(self._base / name, worker=worker, arguments=arguments, cgroups=cgroups))

    @cached_property
    def docker(self) -> Docker:
        return Docker(self._stage("docker", Docker.cgroups), self._archive, self._peers_root)

    @cached_property
    def podman(self) -> Podman:
        return Podman(self._stage("podman", Podman.cgroups), self._archive, self._peers_root)

    @cached_property
    def crun(self) -> Crun:
        return Crun(self._stage("crun", Crun.cgroups), self._archive)

    @cached_property
    def daemon(self) -> moby.Daemon:
        return moby.Daemon(self._stage("daemon", moby.Daemon.cgroups), self._archive)

    @cached_property
    def command(self) -> moby.CommandLine:
        return moby.CommandLine(self._stage("cli", moby.CommandLine.cgroups), self._archive)

    @cached_property
    def one_file(self) -> moby.OneFile:
        return moby.OneFile(self._stage("one-file"), BINARY)

    @cached_property
    def sdk(self) -> moby.Sdk:
        return moby.Sdk(self._stage("sdk", moby.Sdk.cgroups, "bench.warm", str(self._archive)))

    @cached_property
    def _registry(self) -> Path:
        data = self._base / "registry"
        registry.fill(data)
        return data

    @cached_property
    def our_images(self) -> Images:
        return self.daemon.images(self._registry)

    @cached_property
    def docker_images(self) -> Images:
        return self.docker.images(self._registry)

    @cached_property
    def our_networks(self) -> Networks:
        return Networks(self.daemon)

    @cached_property
    def docker_networks(self) -> Networks:
        return Networks(self.docker)

    @cached_property
    def dashboard(self) -> Dashboard:
        few, many = (self._stage(name, moby.Daemon.cgroups) for name in ("few", "many"))
        return Dashboard(moby.Daemon(few, self._archive), moby.Daemon(many, self._archive), BINARY)

    def pull_memory_of_ours(self) -> float:
        return self._pull_memory(moby.Daemon.cgroups, lambda stage: moby.Daemon(stage, self._archive))

    def pull_memory_of_docker(self) -> float:
        return self._pull_memory(Docker.cgroups, lambda stage: Docker(stage, self._archive, self._peers_root))

    def _pull_memory(self, cgroups: tuple[str, ...], make: Callable[[Stage], DockerDriven]) -> float:
        """The growth of a daemon that was just started, on a stage of its own: an older one has memory of what it did before."""
        folder = self._base / "fresh"
        try:
            with Stage(folder, cgroups=cgroups) as stage:
                images = make(stage).images(self._registry)
                time.sleep(SETTLED)
                return images.pull_memory()
        finally:
            shutil.rmtree(folder)

    def versions(self) -> list[str]:
        """Of all who were asked anything."""
        peers = [self.__dict__.get(name) for name in ("docker", "podman", "crun")]
        return [moby.version(self._stage("version")), *(peer.version() for peer in peers if peer is not None)]


def _median_of(sizes: Callable[[int], list[int]]) -> float:
    return statistics.median(sizes(IDLE))


def rows(contest: Contest) -> list[Row]:
    """In the order in which they are measured: the memory of the idle daemons before they are worked hard."""
    c = contest
    return [
        Row(
            "daemon",
            "PSS of an idle daemon and its helpers",
            "dockerd + containerd",
            lambda: c.daemon.idle(),
            lambda: c.docker.idle(),
            target=0.5,
            runs=1,
            scale=MEBIBYTE,
            unit="MiB",
            warm_up=0,
        ),
        Row(
            "start",
            "start to exit of true, no network, warm SDK",
            "crun run",
            lambda: c.sdk.start_true(),
            lambda: c.crun.run_true(),
            target=1.0,
            runs=48,
        ),
        Row(
            "start-port",
            "the same, bridge and a published port",
            "crun run without",
            lambda: c.sdk.start_true(port=True),
            lambda: c.crun.run_true(),
            target=2.0,
            runs=48,
        ),
        Row(
            "docker-run",
            "docker run --rm busybox true, bridge",
            "dockerd",
            lambda: c.daemon.run_true(),
            lambda: c.docker.run_true(),
            target=0.15,
            runs=20,
        ),
        Row(
            "run",
            "run --rm busybox true, bridge, no daemon",
            "podman",
            lambda: c.command.run_true(),
            lambda: c.podman.run_true(),
            # that of Debian 12, or the newest
            target=0.35 if c.has_newest_peers else 0.4,
            runs=20,
        ),
        Row(
            "ps",
            "ps, no daemon",
            "docker ps of dockerd",
            lambda: c.command.ps(),
            lambda: c.docker.ps(),
            target=4.0,
            runs=20,
        ),
        Row(
            "exec",
            "docker exec c true",
            "dockerd",
            lambda: c.daemon.exec_true(),
            lambda: c.docker.exec_true(),
            target=0.5,
            runs=20,
        ),
        Row(
            "fifty",
            "50 times docker run -d, bridge, 8 at a time",
            "dockerd",
            lambda: c.daemon.crowd.start(),
            lambda: c.docker.crowd.start(),
            target=0.2,
            runs=3,
            scale=1,
            unit="s",
            warm_up=0,
        ),
        Row(
            "remove",
            "docker rm -f of the 50, running",
            "dockerd",
            lambda: c.daemon.crowd.remove(),
            lambda: c.docker.crowd.remove(),
            target=0.3,
            runs=3,
            scale=1,
            unit="s",
            warm_up=0,
        ),
        Row(
            "output",
            "300 MB through an attached stdout",
            "dockerd",
            lambda: c.daemon.output(),
            lambda: c.docker.output(),
            target=0.33,
            runs=3,
            scale=1,
            unit="s",
            warm_up=0,
        ),
        Row(
            "monitor",
            f"PSS of an idle container's monitor ({IDLE} containers)",
            "containerd-shim",
            lambda: _median_of(c.daemon.monitors),
            lambda: _median_of(c.docker.monitors),
            target=1.0,
            runs=1,
            scale=KIBIBYTE,
            unit="KiB",
            warm_up=0,
        ),
        *_network_rows(c),
        *_image_rows(c),
        *_dashboard_rows(c),
        *_request_rows(c),
        Row(
            "one-file",
            "version, one file, second start",
            "its folder",
            lambda: c.one_file.version_of_file(),
            lambda: c.one_file.version_of_folder(),
            target=1.5,
            runs=20,
        ),
    ]


def _network_rows(c: Contest) -> list[Row]:
    """Through the docker command line, ``docker compose``, the Engine API or sockets, against either daemon."""
    asked: list[tuple[str, str, Callable[[Networks], float], float, int]] = [
        ("traffic", "2 GB from container to container, own network", lambda n: n.between_containers(), 1.0, 8),
        ("port-traffic", "2 GB from the host to a published port", lambda n: n.to_port(), 1.0, 8),
        ("port-connections", "2,000 connections to a published port", lambda n: n.connections(), 1.0, 16),
        ("names", "10,000 questions to 127.0.0.11", lambda n: n.names(), 1.0, 8),
        ("networks", "100 networks made and removed, Engine API", lambda n: n.changes(), 0.3, 2),
        ("connect", "connect of a running container, Engine API", lambda n: n.join(), 0.3, 8),
        ("fifty-network", "50 times docker run -d, own network, 8 at a time", lambda n: n.crowd.start(), 0.25, 3),
        ("compose", "docker compose up -d of 10 services", lambda n: n.compose(), 0.4, 4),
    ]
    beside_bridge = [
        Row(
            "run-network",
            "docker run --rm busybox true, own network",
            "ours on the bridge",
            lambda: c.our_networks.run_true(),
            lambda: c.daemon.run_true(),
            target=1.2,
            runs=20,
        ),
        Row(
            "monitor-network",
            f"PSS of a monitor, own network ({IDLE} containers)",
            "ours on the bridge, and 0.6 MiB",
            lambda: c.our_networks.monitor(IDLE),
            lambda: _median_of(c.daemon.monitors) + 0.6 / MEBIBYTE,
            target=1.0,
            runs=1,
            scale=KIBIBYTE,
            unit="KiB",
            warm_up=0,
        ),
    ]
    return [*(_network_row(c, *row) for row in asked), *beside_bridge]


def _network_row(c: Contest, name: str, title: str, take: Callable[[Networks], float], target: float, runs: int) -> Row:
    return Row(
        name,
        title,
        "dockerd",
        lambda: take(c.our_networks),
        lambda: take(c.docker_networks),
        target=target,
        runs=runs,
        scale=1000 if name == "connect" else 1,
        unit="ms" if name == "connect" else "s",
        warm_up=int(runs > 4),
    )


def _request_rows(c: Contest) -> list[Row]:
    """Last of the daemons' rows: the containers that are listed stay."""
    asked: list[tuple[str, str, Callable[[Requests], float]]] = [
        ("api-list", f"GET /containers/json of {CONTAINERS} containers", lambda r: r.list(20)),
        ("api-inspect", f"GET /containers/ID/json beside {CONTAINERS} containers", lambda r: r.inspect(200)),
    ]
    return [_request_row(c, *row) for row in asked]


def _request_row(c: Contest, name: str, title: str, take: Callable[[Requests], float]) -> Row:
    return Row(
        name, title, "dockerd", lambda: take(c.daemon.requests), lambda: take(c.docker.requests), target=1.0, runs=8, warm_up=1
    )


def _dashboard_rows(c: Contest) -> list[Row]:
    """No peer has the same: each number stands beside the limit that it should keep."""
    asked: list[tuple[str, str, Callable[[Dashboard], float], float, float, str, int]] = [
        ("tui-paint", "moby tui, start to first of 100 containers", lambda d: d.paint(), 0.4, 1000, "ms", 8),
        ("tui-paint-one-file", "the same, one file, second start", lambda d: d.paint_one_file(), 0.25, 1000, "ms", 8),
        ("tui-event", "rename to screen, 95th percentile of 40", lambda d: d.event(), 0.1, 1000, "ms", 2),
        ("tui-idle", "processor of an idle moby tui, 50 run, no daemon", lambda d: d.idle(), 0.02, 100, "%", 2),
        ("tui-idle-daemon", "the same beside a daemon, which is not counted", lambda d: d.idle_of_daemon(), 0.02, 100, "%", 2),
        ("tui-lag", "event loop's lag, 1,000 containers, 10,000 lines/s, p95", lambda d: d.lag(), 0.05, 1000, "ms", 2),
        ("tui-search", "search of a million lines for the only hit", lambda d: d.search(), 0.3, 1000, "ms", 2),
    ]
    return [_dashboard_row(c, *row) for row in asked]


def _dashboard_row(
    c: Contest, name: str, title: str, take: Callable[[Dashboard], float], limit: float, scale: float, unit: str, runs: int
) -> Row:
    return Row(
        name, title, "the limit", lambda: take(c.dashboard), lambda: limit,
        target=1.0, runs=runs, scale=scale, unit=unit, warm_up=int(runs > 2),
    )  # fmt: skip


def _image_rows(c: Contest) -> list[Row]:
    """Through the docker command line against either daemon; the image has 8 layers, 10,000 files and 420 MB."""
    asked: list[tuple[str, str, Callable[[Images], float], float, int]] = [
        ("pull", "docker pull of 420 MB in 8 layers, loopback", lambda images: images.pull(), 0.33, 4),
        ("push-pulled", "docker push of what was pulled, empty repository", lambda images: images.push_pulled(), 0.1, 4),
        ("push-built", "docker push of what was built (40 MB)", lambda images: images.push_built(), 0.5, 4),
        ("save", "docker save of the 420 MB", lambda images: images.save(), 0.4, 4),
        ("load", "docker load of the same", lambda images: images.load(), 0.4, 4),
        ("build", "docker build, 7 instructions, cold", lambda images: images.build_cold(), 0.6, 8),
        ("build-cached", "the same, all cached", lambda images: images.build_cached(), 1.0, 8),
        ("buildx", "docker buildx build of the same 7, cold", lambda images: images.buildx_cold(), 0.6, 8),
        ("buildx-cached", "the same, all cached", lambda images: images.buildx_cached(), 0.7, 8),
        ("buildx-unchanged", "docker buildx build, 10,000 files, unchanged", lambda images: images.buildx_unchanged(), 0.7, 4),
        ("build-stages", "docker build of 6 independent stages", lambda images: images.build_stages(), 0.35, 4),
    ]
    memory = Row(
        "pull-memory",
        "peak memory of that pull, growth of the daemon's PSS",
        "dockerd + containerd",
        c.pull_memory_of_ours,
        c.pull_memory_of_docker,
        target=1.0,
        runs=4,
        scale=MEBIBYTE,
        unit="MiB",
        warm_up=0,
    )
    timed = [_image_row(c, *row) for row in asked]
    return [timed[0], memory, *timed[1:]]


def _image_row(c: Contest, name: str, title: str, take: Callable[[Images], float], target: float, runs: int) -> Row:
    return Row(
        name,
        title,
        "dockerd",
        lambda: take(c.our_images),
        lambda: take(c.docker_images),
        target=target,
        runs=runs,
        scale=1,
        unit="s",
        warm_up=int(name in ("build-cached", "buildx-cached", "buildx-unchanged")),
    )
