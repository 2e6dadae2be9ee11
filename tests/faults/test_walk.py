"""Every step of a container's life, and a process killed just there: the next engine puts it right."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import leaks
import other_runtime
from faults import fault_scenarios
from faults.fault_stage import Stage, points

#: Those of images, migrations, networks, user namespaces and volumes alone have tests of their own
#: (``tests/images/test_removal_cut_short.py``, ``tests/store/test_migrations.py``, ``tests/networks/test_cut_short.py``,
#: ``tests/runtime/mounts/test_mapped_mounts.py``, and in ``tests/volumes`` ``test_files.py``, ``test_copying.py``, ``test_ownership.py``).
POINTS = [
    name for name in points() if not name.startswith(("images.", "layer.", "migration.", "networks.", "userns.", "volumes."))
]
#: A creation or a removal that is killed may leave anonymous volumes, which belong to nobody: ``volume prune`` removes them, as with dockerd.
LEAVES_VOLUMES = ("create.", "database.", "kill.")
#: The steps of processes that outlive a daemon.
NOT_THE_DAEMON_S = ("monitor.", "standby.", "restart.", "runtime.", "settle.")
#: The steps of a start, for which the launcher is needed.
OF_A_START = ("start.", "network.", "connect.", "launcher.", "standby.", "monitor.", "exec.")
COMMANDS = {
    "run": ["run", "--rm", "-p", "127.0.0.1:{port}:80", "busybox", "echo", "hello"],
    "run detached": ["run", "-d", "--init", "--name", "made", "busybox", "sleep", "60"],
    "exec": ["exec", "kept", "echo", "hello"],
    "stop": ["stop", "-t", "0", "kept"],
    "remove": ["rm", "-f", "kept"],
}
#: In how many tests a command's points are walked, so that none takes too long on a machine that has others to run.
PARTS = {"run": 3, "run detached": 2}
#: A life without a fault needs a launcher of its own, which costs as much as the rest of a case.
FAULTS_BEFORE_A_LIFE = 5
#: The faults since the last life without one.
_survived: list[str] = []
_passed: Counter[str] = Counter()
#: For each container of a life, the points that were passed from its turn to the next one's.
_passed_by: dict[str, Counter[str]] = {}


@pytest.fixture(scope="module")
def crun(tmp_path_factory: pytest.TempPathFactory) -> str:
    return other_runtime.program("crun", tmp_path_factory.mktemp("crun"))


def _passes(stage: Stage, crun: str, name: str) -> int:
    """How often an undisturbed life, or what follows one that was cut short, passes a point."""
    if not _passed:
        life = stage.play("life")
        _passed.update(life["hits"])
        begins = [*life["hits_before"].values(), len(life["hits"])]
        for container, begin, end in zip(life["hits_before"], begins, begins[1:], strict=False):
            _passed_by[container] = Counter(life["hits"][begin:end])
        stage.play("orphans")
        _passed.update({hit: 1 for hit in stage.play("reconcile", start=False)["hits"] if hit.startswith("settle.")})
        _passed.update(hit for hit in stage.play("outside", runtime=crun)["hits"] if hit.startswith("runtime."))
    return _passed[name]


def _scenario(stage: Stage, crun: str, name: str, hit: int = 1) -> tuple[str, dict[str, Any]]:
    """The scenario that passes the point so often."""
    if name.startswith("settle."):
        assert stage.play("orphans")["wrong"] == []
        return "reconcile", {"start": False}
    if name.startswith("runtime."):
        return "outside", {"runtime": crun}
    _passes(stage, crun, name)
    return "life", {"containers": _containers(name, hit)}


def _containers(name: str, hit: int) -> list[str]:
    """Those of a life that pass the point so often, and one more, which has to go well whatever befell the others."""
    passing = [container for container, passed in _passed_by.items() if passed[name]]
    needed = [container for number, container in enumerate(passing) if sum(_passed_by[c][name] for c in passing[:number]) < hit]
    return [*needed, "short"]


def _disturb(stage: Stage, scenario: tuple[str, dict[str, Any]], name: str, hit: int, *, start: bool, **action: object) -> None:
    plan = {"point": name, "hit": hit, **action}
    try:
        first = stage.play(scenario[0], plan, **scenario[1])
        if not first["fired"] and scenario[0] == "life":
            # a monitor that is late passes it in the turn of the next container
            first = stage.play(scenario[0], plan, **(scenario[1] | {"containers": fault_scenarios.CONTAINERS}))
        assert first["fired"], name
        assert first["wrong"] == [], first
        _check(stage, name, start=start)
    except AssertionError:
        # the next test shall not fail for what this one found
        _survived.clear()
        stage.furnish()
        raise


def _check(stage: Stage, name: str, *, start: bool) -> None:
    """The next engine finds all in order, nothing is left when the containers are removed, and after some faults the same works again."""
    next_engine = stage.play("reconcile", start=start)
    pruned = stage.play("prune") if name.startswith(LEAVES_VOLUMES) else {"wrong": []}
    left = stage.left_behind()
    assert (next_engine["killed"], next_engine["wrong"], next_engine["said"]) == (False, [], []), name
    assert (pruned["wrong"], left) == ([], []), name
    _survived.append(name)
    if len(_survived) >= FAULTS_BEFORE_A_LIFE:
        _works_again(stage)


def _works_again(stage: Stage) -> None:
    """A life, in which nothing goes wrong, on the roots on which these faults happened."""
    faults = _survived.copy()
    _survived.clear()
    assert stage.play("again")["wrong"] == [], faults


@pytest.fixture(scope="module", autouse=True)
def a_life_at_the_end(stage: Stage) -> Iterator[None]:
    yield
    if _survived:
        _works_again(stage)


def test_every_point_is_passed(stage: Stage, crun: str) -> None:
    assert [name for name in POINTS if _passes(stage, crun, name) == 0] == []


def test_the_look_sees_a_bridge_that_a_network_of_its_root_left_and_no_other(stage: Stage) -> None:
    stage.play("life")
    events = [json.loads(line) for segment in stage.data.glob("events/*") for line in segment.read_text().splitlines()]
    gone = [event["Actor"]["ID"] for event in events if (event["Type"], event["Action"]) == ("network", "destroy")]
    made = [f"br-{gone[0][:12]}", "br-0123456789ab"]
    for name in made:
        subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        left = stage.left_behind()
    finally:
        for name in made:
            subprocess.run(["ip", "link", "delete", name], check=True)
    assert [line.split(": ")[1] for line in left] == made[:1]
    assert stage.left_behind() == []


def test_the_name_server_leaves(stage: Stage) -> None:
    stage.play("life")
    assert leaks.settled(lambda: list(stage.look())) == []


@pytest.mark.parametrize("name", POINTS)
def test_whoever_passes_it_is_killed(stage: Stage, crun: str, name: str) -> None:
    # how often a monitor prepares a restart depends on how soon its container is removed
    for hit in (1,) if name.startswith("restart.") else sorted({1, min(2, _passes(stage, crun, name))}):
        _disturb(stage, _scenario(stage, crun, name, hit), name, hit, start=hit == 2, action="kill")


@pytest.mark.parametrize("name", POINTS)
def test_the_engine_is_killed_meanwhile(stage: Stage, crun: str, name: str) -> None:
    _disturb(stage, _scenario(stage, crun, name), name, 1, start=False, action="kill", victim="moby-engine")


@pytest.mark.parametrize("name", [name for name in POINTS if name.startswith(OF_A_START)])
def test_the_launcher_is_killed_meanwhile(stage: Stage, crun: str, name: str) -> None:
    """And the engine goes on: it makes another."""
    _disturb(stage, _scenario(stage, crun, name), name, 1, start=False, action="kill", victim="moby-launcher")


@pytest.mark.parametrize("name", [name for name in POINTS if not name.startswith(NOT_THE_DAEMON_S)])
def test_the_daemon_is_killed_meanwhile(stage: Stage, name: str) -> None:
    """And its client is told so, in one line."""
    _disturb(stage, ("served", {}), name, 1, start=False, action="kill", victim="moby-daemon")


@pytest.mark.parametrize("name", [name for name in POINTS if name.startswith("monitor.")])
def test_the_monitor_of_another_runtime_is_killed(stage: Stage, crun: str, name: str) -> None:
    if name in stage.hits("outside", runtime=crun):
        _disturb(stage, ("outside", {"runtime": crun}), name, 1, start=False, action="kill")


@pytest.mark.parametrize(("command", "part"), [(command, part) for command in COMMANDS for part in range(PARTS.get(command, 1))])
def test_the_command_line_is_killed(stage: Stage, command: str, part: int) -> None:
    """At every step of its work, its own or that of a process which works for it: in each part at every so many-th."""
    line = [word.format(port=stage.port) for word in COMMANDS[command]]
    needs_one = not command.startswith("run")
    if needs_one:
        stage.play("kept")
    passed = stage.play("command", line=line)
    assert passed["status"] == 0, stage.output.read_text()
    _check(stage, command, start=False)
    for name in list(dict.fromkeys(passed["hits"]))[part :: PARTS.get(command, 1)]:
        if needs_one and name.startswith("standby."):
            # of the launcher before, or of one whose command has ended by then
            continue
        if needs_one:
            stage.play("kept")
        _disturb(stage, ("command", {"line": line}), name, 1, start=False, action="kill", victim="moby-engine")
