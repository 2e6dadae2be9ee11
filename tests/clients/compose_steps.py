"""What ``docker compose`` is asked beside networks (those: ``networks.recorded.compose_steps``): profiles, configs, secrets, builds, a watch.

``python -m clients.compose_steps SOCKET FOLDER`` (in ``tests/``) records the answers of the daemon behind that socket, which has the image
``busybox`` and sees the folder under the same path.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from networks.recorded import compose_steps
from networks.recorded.compose_steps import Step

RECORDED = Path(__file__).parent / "dockerd_28_5_compose.json"
PROJECT = """\
name: kit
x-any: &any {{image: busybox, stop_signal: SIGKILL, network_mode: none, command: [sleep, "1000"]}}
services:
  base:
    <<: *any
    env_file: [variables]
    environment: {{LEVEL: "{level}", WHO: "${{WHO:-nobody}}"}}
    configs: [{{source: greeting, target: /etc/greeting, mode: 0440}}]
    secrets: [token, {{source: spoken, target: /run/other}}]
    healthcheck: {{test: [CMD, test, -e, /etc/greeting], interval: 200ms, retries: 50}}
    tmpfs: [/scratch]
    volumes: ["kept:/kept", {{type: bind, source: ./source, target: /bound, read_only: true}}]
    ulimits: {{nofile: 1000}}
    mem_limit: 64m
    cap_drop: [MKNOD]
    init: true
    hostname: basis
    develop: {{watch: [{{action: sync, path: ./watched, target: /watched}}]}}
  migrate: {{<<: *any, command: [sh, -c, "echo migrated; sleep 1; echo why >&2"]}}
  late:
    <<: *any
    depends_on: {{migrate: {{condition: service_completed_successfully}}, base: {{condition: service_healthy, restart: true}}}}
  tool: {{<<: *any, profiles: [tools], command: [sh, -c, "echo tool; exit 4"]}}
  broken: {{<<: *any, profiles: [bad], command: ["false"]}}
  needs: {{<<: *any, profiles: [bad], depends_on: {{broken: {{condition: service_completed_successfully}}}}}}
  missing: {{<<: *any, profiles: [none], command: [/no/such]}}
  made:
    <<: *any
    image: kit-made
    profiles: [built]
    build:
      dockerfile_inline: "FROM busybox\\nARG A\\nRUN echo built $$A > /built\\n"
      network: none
      args: {{A: "{level}"}}
      labels: {{of: kit}}
    command: [cat, /built]
configs: {{greeting: {{content: "hello ${{WHO:-nobody}}"}}}}
secrets: {{token: {{file: ./token}}, spoken: {{environment: SPOKEN}}}}
volumes: {{kept: {{}}}}
"""
_STATES = ("ps", "-a", "--format", "{{.Service}} {{.Name}} {{.State}} {{.ExitCode}} {{.Health}}")
_READ = "cat /etc/greeting /run/secrets/token /run/other /bound/file"
_LOOK = f"{_READ}; echo; stat -c %a /etc/greeting; echo $FROM_FILE $LEVEL $WHO; hostname; ulimit -n"
_ONCE = ("--rm", "-T", "--name", "once", "-e", "X=y", "-v", "kept:/k")
STEPS = [
    Step("services", ("config", "--services")),
    Step("profiles", ("config", "--profiles")),
    Step("images of the file", ("config", "--images")),
    Step("volumes of the file", ("config", "--volumes")),
    Step("dry run", ("--dry-run", "up", "-d")),
    Step("nothing was made", _STATES),
    Step("create", ("create",)),
    Step("what was made", _STATES),
    Step("up", ("up", "-d")),
    Step("states", _STATES),
    Step("configs, secrets, files, settings", ("exec", "-T", "base", "sh", "-c", _LOOK)),
    Step("exec as another user, elsewhere", ("exec", "-T", "-u", "1", "-w", "/etc", "-e", "A=b", "base", "sh", "-c", "id -u; pwd; echo $A")),
    Step("exec of nothing", ("exec", "-T", "nosuch", "true")),
    Step("exec of what does not run", ("exec", "-T", "migrate", "true")),
    Step("logs of one that has ended", ("logs", "--no-color", "--no-log-prefix", "migrate")),
    Step("logs with names", ("logs", "--no-color", "-n", "1", "migrate")),
    Step("projects", ("ls", "-q")),
    Step("projects of a name", ("ls", "--format", "json", "--filter", "name=nosuch")),
    Step("volumes", ("volumes", "--format", "{{.Name}} {{.Driver}}")),
    Step("pause", ("pause", "base")),
    Step("paused", ("ps", "--status", "paused", "--format", "{{.Name}} {{.State}}")),
    Step("unpause", ("unpause", "base")),
    Step("a profile", ("--profile", "tools", "up", "-d", "tool")),
    Step("exit code from", ("--profile", "tools", "up", "--no-log-prefix", "--exit-code-from", "tool", "tool")),
    Step("run", ("--profile", "tools", "run", *_ONCE, "tool", "sh", "-c", "echo $X; ls -d /k; exit 6")),
    Step("a condition that fails", ("--profile", "bad", "up", "-d", "needs")),
    Step("a program that is missing", ("--profile", "none", "up", "-d", "missing")),
    Step("states after failures", _STATES),
    Step("build", ("build", "made")),
    Step("what was built", ("--profile", "built", "up", "--no-log-prefix", "made")),
    Step("the built image", ("docker", "image", "inspect", "kit-made", "--format", "{{.Config.Cmd}} {{.Config.Labels.of}}")),
    Step("build again with another argument", ("--profile", "built", "run", "--build", "--rm", "-T", "made"), level=2),
    Step("ids before", ("ps", "-q", "--no-trunc")),
    Step("a change", ("up", "-d"), level=2),
    Step("what is new", ("exec", "-T", "base", "sh", "-c", "echo $LEVEL"), level=2),
    Step("by force", ("up", "-d", "--force-recreate", "--no-deps", "late"), level=2),
    Step("with new volumes, waited for", ("up", "-d", "-V", "--wait", "base"), level=2),
    Step("all are other", ("ps", "-q", "--no-trunc"), level=2),
    Step("scale", ("up", "-d", "--scale", "late=2", "late"), level=2),
    Step("two", ("ps", "--format", "{{.Name}} {{.State}}", "late"), level=2),
    Step("exec in the second", ("exec", "-T", "--index", "2", "late", "echo", "second"), level=2),
    Step("commit", ("commit", "base", "kit-commit:1"), level=2),
    Step("export", ("export", "-o", "base.tar", "base"), level=2),
    Step("a file into all", ("cp", "--index", "1", "token", "late:/copied"), level=2),
    Step("what was copied", ("exec", "-T", "late", "cat", "/copied"), level=2),
    Step("kill with a signal", ("kill", "-s", "SIGKILL", "late"), level=2),
    Step("stop", ("stop", "-t", "0"), level=2),
    Step("start of one with what it needs", ("start", "late"), level=2),
    Step("restart", ("restart", "--no-deps", "late"), level=2),
    Step("states at the end", _STATES, level=2),
    Step("rm", ("rm", "-fsv", "late"), level=2),
    Step("down", ("--profile", "*", "down", "-v", "--rmi", "local", "--remove-orphans", "-t", "0"), level=2),
    Step("nothing is left", ("docker", "ps", "-aq")),
    Step("volumes that are left", ("docker", "volume", "ls", "-q")),
    Step("images that are left", ("docker", "images", "--format", "{{.Repository}}", "--filter", "reference=kit*")),
]  # fmt: skip


def take(path: Path, folder: Path) -> dict[str, Any]:
    """The status and the output of each step, against the daemon behind a socket, which sees ``folder``."""
    (folder / "variables").write_text("FROM_FILE=yes\n")
    (folder / "token").write_text("a token\n")
    (folder / ".env").write_text("SPOKEN=a word\nWHO=you\n")
    for name in ("source", "watched"):
        (folder / name).mkdir()
    (folder / "source/file").write_text("bound\n")
    answers = compose_steps.take(path, folder, PROJECT, STEPS)
    return answers | {"watch": _watch(path, folder)}


def _watch(path: Path, folder: Path) -> list[str]:
    """What a container sees of a file that changes while ``compose watch`` runs: before the change, then after it."""

    def compose(*words: str) -> str:
        command = ["docker", "compose", "--progress", "quiet", *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120).stdout

    environment = compose_steps.environment(path)
    compose("up", "-d", "base")
    watching = subprocess.Popen(
        ["docker", "compose", "watch", "--no-up", "base"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    seen: list[str] = []
    try:
        for number in range(200):
            # written anew until the watch, which tells nobody when it begins, has seen it
            (folder / "watched/file").write_text(f"change {number}\n")
            text = compose("exec", "-T", "base", "sh", "-c", "cat /watched/file 2>/dev/null").split(" ")[0]
            if text not in seen:
                seen.append(text)
            if text == "change":
                break
            time.sleep(0.2)
    finally:
        watching.terminate()
        watching.wait(60)
        compose("down", "-v", "-t", "0")
    return seen


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(take(Path(sys.argv[1]), Path(sys.argv[2])), indent=1) + "\n")
