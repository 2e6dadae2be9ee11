"""One stage for all engines and registries of this folder, and the images that they are asked about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import namespaces
from bench.peers import docker, podman
from bench.stage import Stage
from images_data import ImageData, busybox_rootfs, docker_archive
from peers.engines import Docker, Moby, Podman, Umoci
from peers.peers_world import World, serve
from peers.sources import context
from servers.tokens import make_certificate

HOST = "registry.test"


@pytest.fixture(scope="session")
def world(busybox_archive: Path) -> Iterator[World]:
    folder = namespaces.folder() / f"peers-{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    folder.mkdir()
    with Stage(folder, cgroups=(docker.CGROUP, podman.CGROUP, "moby")) as stage:
        _own(stage, "/etc")
        # skopeo and podman keep there what they know of layers, whatever they are told
        _own(stage, "/var/lib")
        (folder / "etc/hosts").write_text(f"127.0.0.1 localhost {HOST}\n")
        address = _private_registry(stage)
        daemon = docker.Docker(stage, busybox_archive)
        config = folder / "config"
        config.mkdir()
        yield _world(stage, config, address, daemon)
    shutil.rmtree(folder)


def _own(stage: Stage, place: str) -> None:
    """What is changed there is seen on the stage alone."""
    name = place.strip("/").replace("/", "-")
    upper, work = stage.folder / name, stage.folder / f"{name}.work"
    upper.mkdir()
    work.mkdir()
    stage.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={place},upperdir={upper},workdir={work}", place])


def _private_registry(stage: Stage) -> str:
    """A registry whose certificate an authority of its own has signed, which is trusted where all engines look."""
    for name in ("authority", "server"):
        (stage.folder / name).mkdir()
    authority, key = make_certificate(stage.folder / "authority", "-addext", "basicConstraints=critical,CA:TRUE")
    own = make_certificate(
        stage.folder / "server", "-CA", str(authority), "-CAkey", str(key), "-addext", f"subjectAltName=DNS:{HOST}"
    )
    address = serve(stage, stage.folder / "private", "login", *map(str, own)).replace("127.0.0.1", HOST)
    trusted = f"/etc/docker/certs.d/{address}"
    stage.run(["mkdir", "-p", trusted])
    stage.run(["cp", str(authority), f"{trusted}/ca.crt"])
    return address


def _world(stage: Stage, config: Path, address: str, daemon: docker.Docker) -> World:
    folder = stage.folder
    engines = Moby(stage, folder / "moby", config), Podman(stage, folder / "podman", config)
    world = World(
        stage, *engines, Docker(stage, folder / "docker", config, daemon.env), Umoci(stage, folder / "umoci", config), address
    )
    # what our login keeps, all others use
    world.moby.ask("login", "-u", "user", "-p", "secret", address)
    return world


@pytest.fixture(scope="session")
def base(world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's busybox, pushed by us."""
    reference, archive = world.new("busybox"), tmp_path_factory.mktemp("base") / "base.tar"
    archive.write_bytes(docker_archive((ImageData([busybox_rootfs()]), [reference])))
    world.moby.load(archive)
    world.moby.push(reference)
    return reference


@pytest.fixture(scope="session")
def every(world: World, base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One of everything in many layers, built and pushed by us."""
    reference = world.new("every")
    world.moby.build(context(tmp_path_factory.mktemp("every"), base), reference)
    world.moby.push(reference)
    return reference
