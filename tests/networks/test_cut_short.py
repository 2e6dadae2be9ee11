"""A process that is killed at each step of a change to networks: the next engine puts right what it left, and can do the same again."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import moby_tui
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import fault
from moby_tui.errors import Conflict, Forbidden, MobyError, NotFound
from moby_tui.schema.network import NetworkCreate
from networks.test_live import inside, start
from networks.world import run

Cli = Callable[..., subprocess.CompletedProcess[str]]
#: A command line for each change, and the words of the errors that a repetition may answer with if the change was made already.
CHANGES = {
    "create": (["network", "create", "new"], Conflict, "already exists"),
    "connect": (["network", "connect", "back", "web"], Forbidden, "already exists in network back"),
    "disconnect": (["network", "disconnect", "back", "web"], MobyError, "is not connected to network back"),
    "remove": (["network", "rm", "new"], NotFound, "network new not found"),
    "forget": (["network", "rm", "plan"], NotFound, "network plan not found"),
}


def left(roots: tuple[Path, Path]) -> list[str]:
    """Records, leases and names; interfaces; and what the firewall holds."""
    files = [str(path) for path in roots[1].glob("networks/*/**/*") if path.is_file()]
    links = [line.split()[1] for line in run("ip -o link").splitlines()]
    return [*files, *links, *run("nft list ruleset").splitlines()]


async def make(engine: Engine, change: str) -> None:
    """The change again, by another process. Raises as the engine does."""
    networks = engine.networks
    if change == "create":
        await networks.create(NetworkCreate(name="new"))
    elif change == "plan":
        await networks.create(NetworkCreate(name="plan", config_only=True))
    elif change in ("remove", "forget"):
        await networks.remove("new" if change == "remove" else "plan")
    else:
        await (networks.connect if change == "connect" else networks.disconnect)("back", "web")


def steps(cli: Cli, plan: Path, words: list[str]) -> list[tuple[str, int]]:
    """The points that the command passes, with the number of each passing."""
    assert cli(*words, env={fault.VARIABLE: str(plan)}).returncode == 0
    hits = plan.with_name(f"{plan.name}.hits")
    names = [line.split(" ", 1)[1] for line in hits.read_text().splitlines()]
    hits.unlink()
    passed = [(name, names[: number + 1].count(name)) for number, name in enumerate(names)]
    # the launcher is ahead of its engine, and has no part in it
    return [step for step in passed if not step[0].startswith(("launcher.", "standby."))]


async def test_each_step_of_each_change(
    own_network: None,
    roots: tuple[Path, Path],
    busybox: str,
    cli: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    plan = tmp_path / "fault"
    walked: set[str] = set()
    async with Engine.open(*roots) as engine:
        for name in ("front", "back"):
            await engine.networks.create(NetworkCreate(name=name))
        await start(engine, "web", "front")
    before = left(roots)
    undo = {"forget": "plan", "create": "remove", "remove": "create", "connect": "disconnect", "disconnect": "connect"}
    for change, (words, error, text) in CHANGES.items():
        if change in ("disconnect", "remove", "forget"):
            async with Engine.open(*roots) as engine:
                await make(engine, undo[change])
        found = steps(cli, plan, words)
        async with Engine.open(*roots) as engine:
            await make(engine, undo[change])
        for name, hit in found:
            walked.add(name)
            plan.write_text(json.dumps({"point": name, "hit": hit, "action": "kill"}))
            killed = cli(*words, check=False, env={fault.VARIABLE: str(plan)})
            assert killed.returncode == -9, (change, name, hit, killed)
            for path in tmp_path.glob("fault.*"):
                path.unlink()
            async with Engine.open(*roots) as engine:
                try:
                    await make(engine, change)
                except error as refused:
                    assert text in str(refused), (change, name, hit)
                if change in ("connect", "disconnect"):
                    given = (await engine.containers.inspect("web")).network_settings.networks
                    assert ("back" in given) == (change == "connect"), (name, hit)
                    assert (await inside(engine, "web", "ip", "-o", "link")).count("link/ether") == len(given), (name, hit)
                await make(engine, undo[change])
                if change in ("create", "connect"):
                    assert left(roots) == before, (change, name, hit)
        async with Engine.open(*roots) as engine:
            if change in ("disconnect", "remove", "forget"):
                await make(engine, change)
            assert left(roots) == before, change
    async with Engine.open(*roots) as engine:
        await engine.containers.remove("web", force=True)
        for name in ("front", "back"):
            await engine.networks.remove(name)
    sources = "".join(path.read_text() for path in Path(moby_tui.__file__).parent.rglob("*.py"))
    assert set(re.findall(r'fault\.point\("(networks\.[^"]+)"\)', sources)) <= walked
