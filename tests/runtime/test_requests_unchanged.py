"""A creation, a check and an update return new values: what the caller handed over is as it was."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.engine import Engine
from moby_tui.engine.policy import admission, limits
from moby_tui.errors import MobyError
from moby_tui.schema.base import encode
from moby_tui.schema.container import (
    ContainerCreate,
    ContainerUpdate,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    NetworkingConfig,
    PortBinding,
    Resources,
    RestartPolicy,
    SecretReference,
    Ulimit,
)
from moby_tui.schema.secret import SecretCreate

MB = 1 << 20
#: What each request has besides an image and a command: the configuration, and the host's half.
REQUESTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "words": ({"entrypoint": "sh", "cmd": "true", "env": ["A=b", "A=c"], "labels": {"a": "b"}, "hostname": "h"}, {}),
    "empty entrypoint": ({"entrypoint": [""], "volumes": {"/v": {}}, "exposed_ports": {"80": {}}}, {}),
    "health": ({"healthcheck": HealthConfig(test=["CMD", "true"]), "healthcheck_on_failure_action": "kill"}, {}),
    "limits": (
        {},
        {"memory": 64 * MB, "memory_swappiness": -1, "cpu_shares": 2, "cpu_percent": 3, "cpu_count": 2, "pids_limit": 0},
    ),
    "not enforced": ({}, {"blkio_weight": 300, "memory_reservation": 10 * MB, "oom_kill_disable": True}),
    "mounts": (
        {},
        {
            "binds": ["/tmp:/b:ro", "named:/n"],
            "mounts": [Mount(type="volume", target="/anonymous"), Mount(type="tmpfs", target="/t")],
            "tmpfs": {"/scratch": ""},
        },
    ),
    "image mount": ({}, {"mounts": [Mount(type="image", source="busybox", target="/i")]}),
    "ports": ({"exposed_ports": {"80": {}}}, {"port_bindings": {"80/tcp": [PortBinding(host_port="28732")], "81/tcp": None}}),
    "default network": ({"mac_address": "02:42:ac:11:00:02"}, {"network_mode": "default"}),
    "endpoints": (
        {"networking_config": NetworkingConfig(endpoints_config={"default": EndpointSettings(gw_priority=1)})},
        {"network_mode": "default"},
    ),
    "links": ({}, {"links": ["linked:alias"], "network_mode": "bridge"}),
    "joined": ({}, {"network_mode": "container:linked", "ipc_mode": "container:linked", "pid_mode": "container:linked"}),
    "volumes from": ({}, {"volumes_from": ["linked:ro"]}),
    "secrets": ({}, {"secrets": [SecretReference(source="secret", target="file")]}),
    "others": (
        {},
        {
            "log_config": LogConfig(config={"max-size": "1m"}),
            "restart_policy": RestartPolicy(),
            "ulimits": [Ulimit(name="nofile", soft=1, hard=2)],
            "security_opt": ["seccomp=unconfined"],
            "userns_mode": "auto",
        },
    ),
    "refused": ({}, {"ulimits": [Ulimit(name="none")], "memory_swappiness": -1}),
}


async def test_a_request_is_the_same_after_the_container_is_created(engine: Engine, busybox: str) -> None:
    await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"], volumes={"/shared": {}}), name="linked")
    await engine.secrets.create(SecretCreate(name="secret", data=b"data"))
    for name, (config, host) in REQUESTS.items():
        request = ContainerCreate(image=busybox, host_config=HostConfig(**host), **{"cmd": ["true"], **config})
        before, text = deepcopy(request), encode(request)
        try:
            created = await engine.containers.create(request)
        except MobyError:
            assert name == "refused"
            continue
        finally:
            assert request == before and encode(request) == text, name
        # what is changed later in the container's record is not changed in the request either
        await engine.containers.update(created.id, ContainerUpdate(restart_policy=RestartPolicy(name="no"), cpu_shares=7))
        assert request == before, name
        await engine.containers.remove(created.id, volumes=True)


NUMBERS = st.sampled_from([-1, 0, 1, 2, 512, 64 * MB, 128 * MB])
LIMITS = st.builds(
    Resources,
    memory=NUMBERS,
    memory_swap=NUMBERS,
    memory_reservation=NUMBERS,
    memory_swappiness=st.sampled_from([None, -1, 0, 60]),
    cpu_shares=NUMBERS,
    cpu_count=NUMBERS,
    cpu_percent=NUMBERS,
    blkio_weight=st.sampled_from([0, 300]),
    pids_limit=st.none() | NUMBERS,
    oom_kill_disable=st.none() | st.booleans(),
)


def _admit(asked: Resources) -> object:
    host = HostConfig(**{name: getattr(asked, name) for name in Resources.__struct_fields__})
    request = ContainerCreate(image="box", host_config=host)
    before = deepcopy(request)
    try:
        return admission.check(request)
    finally:
        assert request == before


@pytest.mark.parametrize(
    "check", [limits.settle, lambda asked: limits.settle(asked, update=True), _admit], ids=["create", "update", "request"]
)
@given(asked=LIMITS)
def test_a_check_does_not_change_what_it_checks(check: Callable[[Resources], object], asked: Resources) -> None:
    before = deepcopy(asked)
    try:
        check(asked)
    except MobyError:
        pass
    assert asked == before
