"""The docker CLI's resource options against the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.world import Docker
from moby_tui.api.client.connect import connect
from moby_tui.errors import NotFound, NotImplementedYet, Unauthorized
from moby_tui.schema.image import RegistryAuth
from servers.registry import HTPASSWD, running


async def test_update_changes_a_running_container(docker: Docker) -> None:
    await docker("run", "-d", "--name", "limited", "--network", "none", "-m", "64m", "busybox", "sleep", "1000")
    done = await docker("update", "-m", "32m", "--memory-swap", "64m", "--pids-limit", "20", "--cpus", "0.5", "limited")
    assert done.out == "limited\n"
    [seen] = json.loads((await docker("inspect", "limited")).out)
    assert (seen["HostConfig"]["Memory"], seen["HostConfig"]["PidsLimit"], seen["HostConfig"]["NanoCpus"]) == (
        32 * 1024 * 1024,
        20,
        500_000_000,
    )
    refused = await docker("update", "--cpu-period", "50000", "limited", check=False)
    assert "CPU Period cannot be updated as NanoCPUs has already been set" in refused.err
    await docker("rm", "-f", "limited")


async def test_init_device_rules_and_what_a_gpu_needs(docker: Docker) -> None:
    run = ("run", "--rm", "--network", "none")
    done = await docker(
        *run, "--init", "--device-cgroup-rule", "c 10:200 rwm", "busybox", "sh", "-c", "tr '\\0' ' ' </proc/1/cmdline"
    )
    assert done.out.startswith("/sbin/docker-init -- sh -c")
    done = await docker(*run, "--gpus", "all", "busybox", "true", check=False)
    assert 'could not select device driver "" with capabilities: [[gpu]]' in done.err
    done = await docker(*run, "--device", "vendor.test/thing=none", "busybox", "true", check=False)
    assert "CDI device injection failed: unresolvable CDI devices vendor.test/thing=none" in done.err


async def test_login_and_push(docker: Docker, tmp_path: Path) -> None:
    with running(tmp_path / "registry", htpasswd=HTPASSWD) as guarded:
        target = f"{guarded.address}/team/box"
        await docker("tag", "busybox", f"{target}:1")
        await docker("tag", "busybox", f"{target}:2")
        refused = await docker("push", f"{target}:1", check=False)
        assert refused.status == 1 and refused.err == "no basic auth credentials\n"
        wrong = await docker("login", "-u", "user", "-p", "wrong", guarded.address, check=False)
        assert wrong.status == 1 and "login attempt to" in wrong.err
        assert "Login Succeeded" in (await docker("login", "-u", "user", "-p", "secret", guarded.address)).out
        done = await docker("push", f"{target}:1")
        assert (
            f"The push refers to repository [{target}]" in done.out and "Pushed" in done.out and "1: digest: sha256:" in done.out
        )
        done = await docker("push", "-a", target)
        assert "Layer already exists" in done.out and "2: digest: sha256:" in done.out
        await docker("rmi", f"{target}:1", f"{target}:2")
        assert "Downloaded newer image" in (await docker("pull", f"{target}:2")).out
        await docker("rmi", f"{target}:2")
        assert f"\n{target}\n" in (await docker("pull", "-a", target)).out
        names = (await docker("images", "--format", "{{.Repository}}:{{.Tag}}")).out.split()
        assert sorted(names) == [f"{target}:1", f"{target}:2", "busybox:latest"]
        missing = await docker("push", f"{target}:3", check=False)
        assert missing.err == f"tag does not exist: {target}:3\n"


async def test_images_as_a_tree(docker: Docker) -> None:
    shown = (await docker("images", "--tree")).out
    assert "busybox:latest" in shown and "linux/" in shown
    usage = json.loads((await docker("system", "df", "--format", "json")).out.splitlines()[0])
    assert usage["Type"] == "Images" and usage["TotalCount"] == "1"
    assert "Build cache usage" in (await docker("system", "df", "-v")).out


async def test_platforms_through_the_docker_cli(docker: Docker, tmp_path: Path) -> None:
    saved = await docker("save", "--platform", "linux/amd64", "-o", str(tmp_path / "a.tar"), "busybox", check=False)
    refused = await docker("save", "--platform", "linux/s390x", "-o", str(tmp_path / "b.tar"), "busybox", check=False)
    assert saved.status == 0 and "no suitable export target found for platform linux/s390x" in refused.err
    assert "Loaded image: busybox" in (await docker("load", "--platform", "linux/amd64", "-i", str(tmp_path / "a.tar"))).out
    refused = await docker("load", "--platform", "linux/s390x", "-i", str(tmp_path / "a.tar"), check=False)
    assert refused.status == 1 and "no image for linux/s390x" in refused.err
    assert "busybox" in (await docker("image", "inspect", "--platform", "linux/amd64", "busybox")).out


async def test_registries_without_a_pull(docker: Docker, tmp_path: Path) -> None:
    with running(tmp_path / "registry", htpasswd=HTPASSWD) as guarded:
        target = f"{guarded.address}/team/box"
        await docker("login", "-u", "user", "-p", "secret", guarded.address)
        await docker("tag", "busybox", target)
        await docker("push", target)
        assert (await docker("search", "--format", "{{.Name}}", target)).out == f"{target}\n"
        async with connect(docker.env["DOCKER_HOST"]) as client:
            login = RegistryAuth(username="user", password="secret")
            seen = await client.registry.inspect(f"{target}:latest", auth=login)
            assert seen.descriptor.digest.startswith("sha256:") and [one.os for one in seen.platforms] == ["linux"]
            with pytest.raises(NotFound, match="not found"):
                await client.registry.inspect(f"{target}:other", auth=login)
            with pytest.raises(Unauthorized, match="refuses to list what it has"):
                await client.registry.search(target)
            for call in (client.registry.list(), client.registry.tags(target), client.registry.referrers(target)):
                with pytest.raises(NotImplementedYet, match="run it without -H"):
                    await call


async def test_parts_of_volumes_and_images_as_mounts(docker: Docker) -> None:
    await docker("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m", "mem")
    await docker("run", "-d", "--name", "holder", "--network", "none", "-v", "mem:/m", "busybox", "sleep", "1000")
    await docker("exec", "holder", "sh", "-c", "mkdir /m/part; echo in > /m/part/file")
    mount = "type=volume,source=mem,target=/p,volume-subpath=part"
    assert (await docker("run", "--rm", "--network", "none", "--mount", mount, "busybox", "cat", "/p/file")).out == "in\n"
    image = "type=image,source=busybox,target=/i,image-subpath=bin"
    assert "busybox" in (await docker("run", "--rm", "--network", "none", "--mount", image, "busybox", "ls", "/i")).out
    refused = await docker("run", "--rm", "--network", "none", "--mount", mount + "/none", "busybox", "true", check=False)
    assert refused.status in (125, 127) and "/_data/part/none: no such file or directory" in refused.err
    await docker("rm", "-f", "holder")
    await docker("volume", "rm", "mem")


async def test_the_hardware_address_is_the_one_asked_for(docker: Docker) -> None:
    look = ("busybox", "cat", "/sys/class/net/eth0/address")
    assert (await docker("run", "--rm", "--mac-address", "02:00:00:aa:bb:04", *look)).out == "02:00:00:aa:bb:04\n"
