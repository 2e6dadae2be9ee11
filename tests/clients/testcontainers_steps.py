"""What testcontainers-python is asked to do, in this order: against dockerd 28.5.2, whose answers are recorded, and against us.

``python -m clients.testcontainers_steps SOCKET`` (in ``tests/``) prints the answers of the daemon behind that socket, which has the image
``busybox``. It runs in the daemon's network namespace, since testcontainers asks the published ports; ``--record ARCHIVE`` loads the image
from an archive first and writes the answers to the file that they are compared with.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

RECORDED = Path(__file__).parent / "dockerd_28_5_testcontainers.json"
#: The reaper is an image of a registry.
_ENVIRONMENT = {
    "TESTCONTAINERS_RYUK_DISABLED": "true",
    "TC_POOLING_INTERVAL": "0.1",
    "TC_MAX_TRIES": "100",
    "DOCKER_API_VERSION": "1.51",
}
if __name__ == "__main__":
    os.environ.update(_ENVIRONMENT, DOCKER_HOST=f"unix://{sys.argv[1]}")

from testcontainers.core.container import DockerContainer, ExecConfig  # noqa: E402
from testcontainers.core.docker_client import DockerClient  # noqa: E402
from testcontainers.core.image import DockerImage  # noqa: E402
from testcontainers.core.network import Network  # noqa: E402
from testcontainers.core.wait_strategies import (  # noqa: E402
    CompositeWaitStrategy,
    ContainerStatusWaitStrategy,
    ExecWaitStrategy,
    HealthcheckWaitStrategy,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
    PortWaitStrategy,
)
from testcontainers.core.waiting_utils import wait_for_logs  # noqa: E402

STEPS: dict[str, Callable[[Path], Any]] = {}
_SERVER = "echo served > /index.html; echo up; echo complaint >&2; exec httpd -f -p 80 -h /"


def step(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Registers a step under its function's name."""
    STEPS[function.__name__.replace("_", " ")] = function
    return function


def server(**options: Any) -> DockerContainer:
    return DockerContainer("busybox", **options).with_command(["sh", "-c", _SERVER]).with_exposed_ports(80)


def get(container: DockerContainer) -> list[Any]:
    with urlopen(f"http://{container.get_container_host_ip()}:{container.get_exposed_port(80)}/index.html", timeout=20) as answer:
        return [answer.status, answer.read().decode()]


@step
def a_server_and_its_port(folder: Path) -> Any:
    with server().waiting_for(HttpWaitStrategy(80, "/index.html").for_status_code(200)) as container:
        info = container.get_wrapped_container().attrs
        return [
            get(container),
            container.get_logs()[0].decode(),
            container.get_logs()[1].decode(),
            container.status,
            sorted(name for name in info["Config"]["Labels"] if not name.endswith("session-id")),
            [
                len(bindings)
                for bindings in container.get_docker_client().get_container(container.get_container_id())["Ports"]
                if bindings
            ],
            bool(container.get_docker_client().gateway_ip(container.get_container_id())),
            container.get_docker_client().network_name(container.get_container_id()),
        ]


@step
def ports_that_are_chosen(folder: Path) -> Any:
    container = (
        DockerContainer("busybox").with_command("sleep 1000").with_bind_ports("80/tcp", 18081).with_bind_ports("53/udp", 18082)
    )
    with container:
        container.reload()
        return [container.get_exposed_port(80), container.get_wrapped_container().ports]


@step
def every_way_of_waiting(folder: Path) -> Any:
    strategies = {
        "log": LogMessageWaitStrategy("up"),
        "port": PortWaitStrategy(80),
        "status": ContainerStatusWaitStrategy(),
        "exec": ExecWaitStrategy(["test", "-e", "/index.html"]),
        "all": CompositeWaitStrategy(LogMessageWaitStrategy("complaint"), PortWaitStrategy(80)),
    }
    seen = {}
    for name, strategy in strategies.items():
        with server().waiting_for(strategy) as container:
            container.reload()
            seen[name] = container.status
    check = {"test": ["CMD", "test", "-e", "/index.html"], "interval": 200_000_000, "retries": 50}
    with server().with_kwargs(healthcheck=check).waiting_for(HealthcheckWaitStrategy()) as container:
        container.reload()
        info = container.get_container_info()
        seen["health"] = [container.status, info and info.State and info.State.Health and info.State.Health.Status]
    with server() as container:
        seen["wait_for_logs"] = bool(wait_for_logs(container, r"u[p]"))
    return seen


@step
def a_wait_that_fails(folder: Path) -> Any:
    seen = []
    for command, strategy in (
        ("true", LogMessageWaitStrategy("never").with_startup_timeout(2)),
        ("sleep 1000", PortWaitStrategy(80).with_startup_timeout(2)),
    ):
        try:
            DockerContainer("busybox").with_command(command).with_exposed_ports(80).waiting_for(strategy).start()
            seen.append("ready")
        except Exception as error:
            seen.append(type(error).__name__)
    return seen


@step
def execs(folder: Path) -> Any:
    with DockerContainer("busybox").with_command("sleep 1000") as container:
        results = [
            container.exec("echo out"),
            container.exec(["sh", "-c", "echo out; sleep 1; echo err >&2; exit 7"]),
            container.exec(ExecConfig(["sh", "-c", "id -u; pwd; echo $A"], user="1:1", workdir="/etc", environment={"A": "b"})),
            container.exec("/no/such"),
        ]
        # of a failure what follows the names of runtimes, of which dockerd tells more
        return [[result.exit_code, result.output.decode().rpartition("exec: ")[2].partition(":")[0]] for result in results]


@step
def settings(folder: Path) -> Any:
    (folder / "variables").write_text("FROM_FILE=yes\n")
    container = (
        DockerContainer("busybox")
        .with_command("sleep 1000")
        .with_env("A", "b")
        .with_envs(C="d", E="f g")
        .with_env_file(folder / "variables")
        .with_name("settled")
        .with_tmpfs_mount("/scratch", "size=1m")
        .with_volume_mapping("tc-data", "/data", "rw")
        .with_kwargs(hostname="set", mem_limit="64m", cap_drop=["MKNOD"], user="1:1", working_dir="/tmp", labels={"x": "y"})
    )
    with container:
        attrs = container.get_wrapped_container().attrs
        config, host = attrs["Config"], attrs["HostConfig"]
        return [
            attrs["Name"],
            sorted(config["Env"]),
            [config[name] for name in ("Hostname", "User", "WorkingDir", "Cmd")],
            {
                name: host[name]
                for name in ("Memory", "CapDrop", "Tmpfs", "Binds", "Privileged", "Ulimits", "NetworkMode", "AutoRemove")
            },
            [(mount["Type"], mount["Destination"], mount["Mode"], mount["RW"]) for mount in attrs["Mounts"]],
            container.exec("sh -c 'hostname; id -u; echo $E; df /scratch | tail -1 | cut -c1-5'").output.decode(),
        ]


@step
def files_both_ways(folder: Path) -> Any:
    (folder / "file").write_text("from a file")
    (folder / "tree").mkdir(exist_ok=True)
    (folder / "tree/leaf").write_text("from a folder")
    container = DockerContainer("busybox").with_command("sleep 1000")
    container.with_copy_into_container(b"from memory", "/tmp/memory", 0o600).with_copy_into_container(
        folder / "file", "/tmp/file"
    )
    with container:
        container.copy_into_container(folder / "tree", "/tmp/tree")
        container.copy_from_container("/tmp/file", folder / "back")
        shown = container.exec(["sh", "-c", "cd /tmp; find . | sort; cat memory file; stat -c %a memory"]).output.decode()
        return [shown, (folder / "back").read_text()]


@step
def a_network_with_aliases(folder: Path) -> Any:
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        web = server().with_network(network).with_network_aliases("web", "www").waiting_for(LogMessageWaitStrategy("up"))
        container = stack.enter_context(web)
        other = stack.enter_context(DockerContainer("busybox").with_command("sleep 1000").with_network(network))
        fetched = [other.exec(f"wget -qO- http://{name}/index.html").output.decode() for name in ("web", "www")]
        endpoint = container.get_wrapped_container().attrs["NetworkSettings"]["Networks"][network.name]
        names = sorted(name for name in endpoint["Aliases"] or [] if name in ("web", "www"))
        attached = [one.id == container.get_container_id() for one in network._unwrap_network.containers]
        return [fetched, names, len(attached)]


@step
def an_image_that_is_built(folder: Path) -> Any:
    (folder / "image").mkdir(exist_ok=True)
    (folder / "image/Dockerfile").write_text("FROM busybox\nARG WHO\nENV WHO=$WHO\nCOPY Dockerfile /df\nCMD echo hello $WHO\n")
    with DockerImage(str(folder / "image"), tag="tc:1", buildargs={"WHO": "you"}) as image:
        logs = [
            line["stream"]
            for line in image.get_logs()
            if isinstance(line, dict) and str(line.get("stream", "")).startswith("Step")
        ]
        with DockerContainer(str(image)) as container:
            return [str(image), logs, container.wait(), container.get_logs()[0].decode(), image.get_wrapped_image().tags]


@step
def failures(folder: Path) -> Any:
    seen: list[list[Any]] = []
    for container in (
        DockerContainer("busybox").with_command("/no/such"),
        DockerContainer("busybox").with_name("not a name"),
        DockerContainer("busybox").with_kwargs(mem_limit="1k"),
        DockerContainer("busybox").with_volume_mapping("relative/path", "/x"),
    ):
        try:
            container.start()
            seen.append(["started"])
        except Exception as error:
            seen.append([type(error).__name__, getattr(error, "status_code", None)])
    return seen


@step
def nothing_is_left(folder: Path) -> Any:
    client = DockerClient().client
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)
    networks = [one.name for one in client.networks.list(filters={"type": "custom"})]
    volumes = [one.name for one in client.volumes.list()]
    for volume in client.volumes.list():
        volume.remove()
    return [networks, volumes]


def take() -> dict[str, Any]:
    """The answer of every step, or the error it ended with."""
    answers = {}
    for name, function in STEPS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                answer = function(Path(folder))
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            answers[name] = json.loads(re.sub(r"\b[0-9a-f]{64}\b", "ID", json.dumps(answer)))
    return answers


if __name__ == "__main__":
    if sys.argv[2:3] == ["--record"]:
        DockerClient().client.images.load(Path(sys.argv[3]).read_bytes())
        RECORDED.write_text(json.dumps(take(), indent=1, sort_keys=True) + "\n")
    else:
        print(json.dumps(take()))
