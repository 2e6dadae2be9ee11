"""What ``docker compose`` is asked to do with one project, in this order: against dockerd, whose answers are recorded, and against us.

``python -m networks.recorded.compose_steps SOCKET`` (in ``tests/``) records the answers of the daemon behind that socket.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

RECORDED = Path(__file__).parent / "dockerd_28_5_compose.json"

#: A web server, what it asks, a database with a health check and a volume, a cache, and a worker that nobody outside reaches.
PROJECT = """\
name: shop
x-any: &any {{image: busybox, stop_signal: SIGKILL, command: [sleep, "1000"]}}
services:
  web:
    <<: *any
    command: [sh, -c, "echo served > /index.html; echo web is up; exec httpd -f -p 80 -h /"]
    ports: ["18080:80", "127.0.0.1:18443:443/udp"]
    networks: [front]
    depends_on: {{api: {{condition: service_started}}}}
    environment: {{LEVEL: "{level}"}}
  api:
    <<: *any
    networks: {{front: {{aliases: [backend]}}, back: {{ipv4_address: 10.55.2.20}}}}
    depends_on: {{db: {{condition: service_healthy}}, cache: {{condition: service_started}}}}
  db:
    <<: *any
    command: [sh, -c, "echo kept >> /data/rows; touch /ready; exec sleep 1000"]
    networks: {{back: {{aliases: [database], ipv4_address: 10.55.2.30}}}}
    volumes: ["rows:/data"]
    healthcheck: {{test: [CMD, test, -e, /ready], interval: 200ms, retries: 50}}
  cache:
    <<: *any
    networks: [back]
    extra_hosts: ["host.test:host-gateway"]
    labels: {{role: cache}}
  worker:
    <<: *any
    networks: {{jobs: {{}}, back: {{}}}}
    dns_search: [shop.test]
networks:
  front: {{ipam: {{config: [{{subnet: 10.55.1.0/24}}]}}}}
  back: {{ipam: {{config: [{{subnet: 10.55.2.0/24}}]}}}}
  jobs: {{internal: true, ipam: {{config: [{{subnet: 10.55.3.0/24}}]}}}}
volumes: {{rows: {{labels: {{of: shop}}}}}}
"""
_FIELDS = "{{.Service}} {{.Name}} {{.State}} {{.Health}} {{.Ports}}"


class Step(NamedTuple):
    """``words`` are compose's; where the first is ``docker`` the command line's own. ``level`` is the project file's."""

    name: str
    words: tuple[str, ...]
    level: int = 1


def _in(service: str, command: str) -> tuple[str, ...]:
    """In the first container of a service."""
    return ("docker", "exec", f"shop-{service}-1", "sh", "-c", command)


def _ask(*names: str) -> str:
    """Prints a line for each name, with the addresses that the name server gives it."""
    found = "nslookup -type=a $name 127.0.0.11 2>&1 | grep '^Address: ' | sort"
    return f"for name in {' '.join(names)}; do echo $name: $({found}); done"


def _ping(address: str) -> str:
    return f"; ping -c 1 -W 1 {address} 2>&1 | grep -o '[0-9]*% packet loss'"


_ROUTES = "ip route | grep -v default | cut -d' ' -f1,3"
_COUNT_CACHES = "nslookup -type=a cache 127.0.0.11 2>&1 | grep -c '^Address: '"
STEPS = [
    Step("up", ("up", "-d", "--quiet-pull")),
    Step("ps", ("ps", "--format", _FIELDS)),
    Step("networks", ("docker", "network", "ls", "--filter", "label=com.docker.compose.project=shop", "--format", "{{.Name}} {{.Internal}}")),
    Step("volumes", ("docker", "volume", "ls", "--filter", "label=of=shop", "--format", "{{.Name}}")),
    Step("port", ("port", "web", "80")),
    Step("port of udp", ("port", "--protocol", "udp", "web", "443")),
    Step("a port that is not published", ("port", "web", "81")),
    Step("what web sees: api, but not db", _in("web", _ask("api", "backend", "shop-api-1", "database") + _ping("10.55.2.20"))),
    Step("what api sees: services of both networks", _in("api", _ask("web", "database") + _ping("database") + "; wget -qO- http://web/index.html")),
    Step("what cache sees: the address that api asked for, and the host's port", _in("cache", _ask("api", "backend") + "; wget -qO- http://host.test:18080/index.html")),
    Step("what worker sees: its networks, and names that are searched", _in("worker", _ROUTES + "; grep ^search /etc/resolv.conf")),
    Step("logs", ("logs", "--no-color", "web")),
    Step("exec's output and status", ("exec", "-T", "api", "sh", "-c", "echo out; echo err >&2; exit 7")),
    Step("up again changes nothing", ("up", "-d")),
    Step("ids before", ("ps", "-q", "--no-trunc")),
    Step("scale", ("scale", "cache=3")),
    Step("ps of three", ("ps", "--format", "{{.Name}} {{.State}}", "cache")),
    Step("a name of three", _in("api", _COUNT_CACHES)),
    Step("scale back", ("up", "-d", "--scale", "cache=1")),
    Step("a name of one", _in("api", _COUNT_CACHES)),
    Step("run", ("run", "--rm", "-T", "--no-deps", "worker", "sh", "-c", "hostname | wc -c" + _ping("cache") + "; exit 3")),
    Step("run leaves nothing", ("docker", "ps", "-a", "--format", "{{.Names}}")),
    Step("a change makes web anew", ("up", "-d"), level=2),
    Step("what is new", _in("web", "echo $LEVEL"), level=2),
    Step("what is not", ("ps", "-q", "--no-trunc"), level=2),
    Step("restart", ("restart", "db"), level=2),
    Step("the volume is kept", _in("db", "cat /data/rows"), level=2),
    Step("stop", ("stop", "cache", "worker"), level=2),
    Step("ps -a", ("ps", "-a", "--format", "{{.Name}} {{.State}} {{.ExitCode}}"), level=2),
    Step("start", ("start", "cache"), level=2),
    Step("cp out", ("cp", "db:/data/rows", "copy"), level=2),
    Step("cp in", ("cp", "copy", "db:/copy"), level=2),
    Step("what was copied", _in("db", "cat /copy"), level=2),
    Step("kill", ("kill", "worker", "api"), level=2),
    Step("rm", ("rm", "-f", "worker"), level=2),
    Step("down", ("down", "-v"), level=2),
    Step("no container is left", ("docker", "ps", "-aq")),
    Step("no network is left", ("docker", "network", "ls", "--filter", "type=custom", "-q")),
    Step("no volume is left", ("docker", "volume", "ls", "-q")),
]  # fmt: skip


def take(path: Path, folder: Path, project: str = PROJECT, steps: Sequence[Step] = STEPS) -> dict[str, Any]:
    """The status and the output of each step, against the daemon behind a socket; the project's file is in ``folder``."""
    seen: dict[str, str] = {}
    answers = {}
    for step in steps:
        (folder / "compose.yaml").write_text(project.format(level=step.level))
        words = list(step.words) if step.words[0] == "docker" else ["docker", "compose", "--progress", "quiet", *step.words]
        done = subprocess.run(
            words, cwd=folder, env=environment(path), capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )
        answers[step.name] = [done.returncode, *_shared(done.stdout, seen), *_errors(done)]
    return answers


def environment(path: Path) -> dict[str, str]:
    return {**os.environ, "DOCKER_HOST": f"unix://{path}", "COMPOSE_ANSI": "never"}


def _errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What compose says last where it failed itself; of a list at the end of the line the order is chance."""
    return (
        [f"error: {line.rpartition(': ')[0] or line}" for line in done.stderr.splitlines()[-1:]] if done.returncode == 1 else []
    )


def _shared(output: str, seen: dict[str, str]) -> list[str]:
    """Lines without what no two engines have in common; an id has the number of its first mention, and lines are sorted."""
    lines = re.sub(r"\b[0-9a-f]{64}\b", lambda found: seen.setdefault(found[0], f"ID{len(seen)}"), output).splitlines()
    return sorted(line.rstrip() for line in lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        RECORDED.write_text(json.dumps(take(Path(sys.argv[1]), Path(name)), indent=1) + "\n")
