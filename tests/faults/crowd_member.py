"""One of several engine processes on the same roots: does a number of things, chosen by its seed, to containers that all of them use.

    crowd_member.py DATA_ROOT EXEC_ROOT SEED STEPS

Several at a time within the process, too. Prints as JSON how often each was done and refused, and what should never have come out.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import traceback
from collections import Counter
from typing import Any

from moby_tui.engine.engine import Engine
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, NotModified
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig
from moby_tui.schema.exec import ExecCreate, ExecStart

NAMES = ("red", "green", "blue")
#: What another is entitled to say no with, while a third does something else to the container.
EXPECTED = (Conflict, NotFound, NotModified, InvalidArgument)
ACTIONS = ("create", "create", "start", "start", "stop", "kill", "remove", "rename", "exec", "attach", "pause", "look")
AT_ONCE = 3
#: No step takes a tenth of it on an idle machine; one that does is stuck.
PATIENCE = 100.0


class Member:
    def __init__(self, engine: Engine, seed: int) -> None:
        self._containers = engine.containers
        self._random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def work(self, steps: int) -> None:
        for _ in range(steps):
            action = self._random.choice(ACTIONS)
            name = self._random.choice(NAMES)
            try:
                await asyncio.wait_for(getattr(self, action)(name), PATIENCE)
                self.done[action] += 1
            except TimeoutError:
                self.wrong.append(f"{action} {name}: stuck")
            except EXPECTED as error:
                self.refused[action] += 1
                if "\n" in str(error) or not str(error):
                    self.wrong.append(f"{action} {name}: not one line: {error!r}")
            except MobyError as error:
                # an exec, or a first process, may be killed before it has begun
                if action not in ("start", "exec"):
                    self.wrong.append(f"{action} {name}: {error!r}")
                self.refused[action] += 1
            except Exception:
                self.wrong.append(f"{action} {name}: {traceback.format_exc(limit=-6)}")

    async def create(self, name: str) -> None:
        host = HostConfig(
            network_mode=self._random.choice(("none", "bridge")), auto_remove=self._random.random() < 0.3, init=True
        )
        command = self._random.choice((["sleep", "600"], ["true"]))
        await self._containers.create(ContainerCreate(image="busybox", cmd=command, host_config=host), name=name)

    async def start(self, name: str) -> None:
        await self._containers.start(name)

    async def stop(self, name: str) -> None:
        await self._containers.stop(name, timeout=0)

    async def kill(self, name: str) -> None:
        await self._containers.kill(name)

    async def remove(self, name: str) -> None:
        await self._containers.remove(name, force=self._random.random() < 0.7)

    async def rename(self, name: str) -> None:
        await self._containers.rename(name, self._random.choice(NAMES))

    async def exec(self, name: str) -> None:
        ident = await self._containers.exec_create(name, ExecCreate(cmd=["true"]))
        stream = await self._containers.exec_start(ident, ExecStart())
        assert stream is not None
        async for _ in stream.output():
            pass
        stream.close()

    async def attach(self, name: str) -> None:
        stream = await self._containers.attach(name, AttachOptions())
        stream.close()

    async def pause(self, name: str) -> None:
        await self._containers.pause(name)
        await self._containers.unpause(name)

    async def look(self, name: str) -> None:
        for row in await self._containers.list(all=True):
            assert row.state in ("created", "running", "paused", "exited", "restarting"), row.state
        await self._containers.inspect(name)


async def main(data: str, run: str, seed: int, steps: int) -> dict[str, Any]:
    async with Engine.open(data, run) as engine:
        members = [Member(engine, seed * AT_ONCE + number) for number in range(AT_ONCE)]
        await asyncio.gather(*(member.work(steps) for member in members))
    return {
        "done": sum((member.done for member in members), Counter()),
        "refused": sum((member.refused for member in members), Counter()),
        "wrong": [line for member in members for line in member.wrong],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
