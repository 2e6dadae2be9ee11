"""From arguments as Docker takes them to the container that is asked for."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from moby_tui.cli import configuration, session
from moby_tui.cli.app import run
from moby_tui.schema.container import ContainerCreate


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``created("-it alpine sh")``: the request that ``moby create`` would send. The engine's side is left out."""
    requests: list[ContainerCreate] = []
    original = configuration.create_request

    def spy(*arguments: Any, **options: Any) -> ContainerCreate:
        requests.append(original(*arguments, **options))
        return requests[-1]

    monkeypatch.setattr(configuration, "create_request", spy)
    monkeypatch.setattr(session, "call", lambda work: "")

    def create(line: str) -> ContainerCreate:
        assert run(["create", *shlex.split(line)]) == 0
        return requests[-1]

    return create


def test_what_follows_the_image_is_the_command(created: Any) -> None:
    request = created("--rm -e A=1 alpine sh -c 'echo $A' --rm -e -- x")
    assert request.image == "alpine"
    assert request.cmd == ["sh", "-c", "echo $A", "--rm", "-e", "--", "x"]
    assert request.env == ["A=1"]
    assert request.host_config.auto_remove


def test_double_dash_ends_the_options(created: Any) -> None:
    assert created("-t -- alpine -x").cmd == ["-x"]


@pytest.mark.parametrize(
    "line", ["-it alpine", "-i -t alpine", "--interactive --tty alpine", "-i=true -t=1 alpine", "-ti=true alpine"]
)
def test_terminal(created: Any, line: str) -> None:
    request = created(line)
    assert (request.tty, request.open_stdin, request.attach_stdin, request.stdin_once) == (True, True, True, True)


def test_flags_may_be_given_as_docker_takes_them(created: Any) -> None:
    request = created("--rm=false -t=false -m=512m -e=A=1 --read-only=true -p8080:80 alpine")
    assert not request.host_config.auto_remove
    assert not request.tty
    assert request.host_config.readonly_rootfs
    assert request.host_config.memory == 512 << 20
    assert request.env == ["A=1"]
    assert request.host_config.port_bindings["80/tcp"][0].host_port == "8080"


def test_a_flag_does_not_swallow_the_image(created: Any) -> None:
    assert created("--rm alpine true").image == "alpine"


def test_entrypoint_may_be_emptied(created: Any) -> None:
    assert created("--entrypoint '' alpine x").entrypoint == [""]
    assert created("alpine x").entrypoint is None


def test_streams(created: Any) -> None:
    request = created("alpine")
    assert (request.attach_stdin, request.attach_stdout, request.attach_stderr) == (False, True, True)
    request = created("-a stdout alpine")
    assert (request.attach_stdin, request.attach_stdout, request.attach_stderr) == (False, True, False)


def test_resources(created: Any) -> None:
    host = created(
        "--memory 1g --memory-swap -1 --memory-reservation 512m --cpus 1.5 --cpu-shares 10 --cpuset-cpus 0,1 --pids-limit -1 "
        "--shm-size 1m --ulimit nofile=1:2 --oom-score-adj -5 alpine"
    ).host_config
    assert (host.memory, host.memory_swap, host.memory_reservation) == (1 << 30, -1, 512 << 20)
    assert (host.nano_cpus, host.cpu_shares, host.cpuset_cpus, host.pids_limit) == (1_500_000_000, 10, "0,1", -1)
    assert (host.shm_size, host.ulimits[0].hard, host.oom_score_adj) == (1 << 20, 2, -5)


def test_isolation(created: Any, tmp_path: Any) -> None:
    profile = tmp_path / "seccomp.json"
    profile.write_text('{ "defaultAction" : "SCMP_ACT_ALLOW" }')
    host = created(
        f"--cap-add SYS_ADMIN --cap-drop ALL --security-opt no-new-privileges --security-opt seccomp={profile} "
        "--security-opt systempaths=unconfined --device /dev/fuse --sysctl a=b --pid host alpine"
    ).host_config
    assert (host.cap_add, host.cap_drop) == (["SYS_ADMIN"], ["ALL"])
    assert host.security_opt == ["no-new-privileges", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']
    assert (host.masked_paths, host.readonly_paths) == ([], [])
    assert (host.devices[0].path_in_container, host.sysctls, host.pid_mode) == ("/dev/fuse", {"a": "b"}, "host")


def test_what_the_engine_lacks_is_passed_on_for_it_to_refuse(created: Any) -> None:
    host = created("--restart on-failure:3 --init --gpus all --link a:b --volumes-from c alpine").host_config
    assert (host.restart_policy.name, host.restart_policy.maximum_retry_count) == ("on-failure", 3)
    assert host.init
    assert host.device_requests[0].count == -1
    assert (host.links, host.volumes_from) == (["a:b"], ["c"])


def test_health(created: Any) -> None:
    check = created("--health-cmd 'true' --health-interval 5s --health-retries 3 alpine").healthcheck
    assert (check.test, check.interval, check.retries) == (["CMD-SHELL", "true"], 5_000_000_000, 3)
    assert created("--no-healthcheck alpine").healthcheck.test == ["NONE"]
    assert created("--health-on-failure restart alpine").healthcheck_on_failure_action == "restart"
    assert created("alpine").healthcheck is None
