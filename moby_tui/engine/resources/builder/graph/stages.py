"""The stages of a build as a graph: only those that the target needs are made, and independent ones in parallel."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.builder.narration import Tells
from moby_tui.engine.resources.dockerfile import shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction
from moby_tui.engine.tasks import settled
from moby_tui.errors import InvalidArgument
from moby_tui.schema.image import Progress


def find(names: list[str], name: str, before: int) -> int | None:
    """The stage of this name or number among the first ``before``."""
    numbers = (number for number in range(before) if name.lower() == names[number] or name == str(number))
    return next(numbers, None)


def needed(
    names: list[str], stages: list[list[Instruction]], target: int, variables: Mapping[str, str], escape: str
) -> list[int]:
    """The stages that the target needs, in an order in which each comes after its own needs; the target is the last."""
    numbers, pending = {target}, [target]
    while pending:
        number = pending.pop()
        more = needs_of(names, stages[number], number, variables, escape) - numbers
        numbers |= more
        pending += more
    return sorted(numbers)


def needs_of(names: list[str], stage: list[Instruction], number: int, variables: Mapping[str, str], escape: str) -> set[int]:
    """The stages before ``number`` that this one begins from or copies from; all of them if a variable hides which."""
    named = list(_expanded(stage, variables, escape))
    if any("$" in text and not name for text, name in named):
        # a variable: known only when the stage is made
        return set(range(number))
    return needs_told(names, stage, number, variables, escape)


def needs_told(names: list[str], stage: list[Instruction], number: int, variables: Mapping[str, str], escape: str) -> set[int]:
    """The same, without those that a variable hides."""
    others = (find(names, name, number) for _, name in _expanded(stage, variables, escape))
    return {other for other in others if other is not None}


def _expanded(stage: list[Instruction], variables: Mapping[str, str], escape: str) -> Iterable[tuple[str, str]]:
    """The names in a stage as they are written, and with the values of variables."""
    for text in sources(stage):
        # an error is reported when this stage's turn comes
        with suppress(InvalidArgument):
            yield text, shell_words.expand(text, variables, escape)


def sources(stage: list[Instruction]) -> Iterable[str]:
    """The names in FROM and ``--from`` of instructions, as they are written."""
    for instruction in stage:
        if instruction.name == "FROM":
            yield instruction.value.split()[0]
        elif "from" in instruction.flags:
            yield instruction.flags["from"]
        for mount in instruction.repeated.get("mount", ()):
            yield from (entry.partition("=")[2] for entry in mount.split(",") if entry.startswith("from="))


def needs_context(instruction: Instruction) -> bool:
    """False if an instruction certainly takes no file of the build context."""
    if instruction.name == "RUN":
        mounts = (mount.split(",") for mount in instruction.repeated.get("mount", ()))
        return any(
            not any(entry.startswith("from=") for entry in entries)
            and ("type=bind" in entries or not any(entry.startswith("type=") for entry in entries))
            for entries in mounts
        )
    if instruction.name not in ("COPY", "ADD") or "from" in instruction.flags:
        return False
    here = {document.marker for document in instruction.documents}
    words = instruction.value.split()[:-1]
    return any(word not in here and not word.startswith(("http://", "https://")) for word in words)


def context_paths(stages: Iterable[list[Instruction]]) -> list[str] | None:
    """The paths of the build context that stages take, perhaps with wildcards; None if that cannot be told, or if it is all."""
    paths: set[str] = set()
    for stage in stages:
        for instruction in filter(needs_context, stage):
            if instruction.name == "RUN" or instruction.value.lstrip().startswith("[") or "$" in instruction.value:
                return None
            marks = {document.marker for document in instruction.documents}
            sources = [word for word in instruction.value.split()[:-1] if word not in marks]
            if any("\\" in word or '"' in word or "'" in word for word in sources):
                return None
            paths |= {posixpath.normpath(f"/{word.lstrip('/')}") for word in sources}
    return None if "/" in paths else sorted(paths)


class Turn:
    """Holds a stage's output back until its turn, so that lines of two stages are not mixed."""

    def __init__(self, report: Tells) -> None:
        self._report = report
        self._held: list[Progress] | None = []

    def say(self, line: Progress) -> None:
        if self._held is None:
            self._report.say(line)
        else:
            self._held.append(line)

    def open(self) -> None:
        held, self._held = self._held or [], None
        for line in held:
            self._report.say(line)


class Stages:
    """The stages of a build. Each is made once, when it is first needed. ``close`` cancels those that are still being made."""

    def __init__(self, names: list[str], make: Callable[[int], Coroutine[Any, Any, BuiltImage]]) -> None:
        self._names = names
        self._make = make
        self._tasks: dict[int, asyncio.Task[BuiltImage]] = {}

    def begin(self, number: int) -> asyncio.Task[BuiltImage]:
        if number not in self._tasks:
            self._tasks[number] = asyncio.create_task(self._make(number))
        return self._tasks[number]

    async def image(self, name: str, before: int) -> BuiltImage | None:
        """Waits for the stage with this name among the first ``before``, and returns its image; None if there is none. Raises its error."""
        number = find(self._names, name, before)
        return None if number is None else await asyncio.shield(self.begin(number))

    async def until(self, number: int) -> int:
        """Waits until this stage is made or any stage has failed; returns that stage."""
        while True:
            failed = [each for each, task in self._tasks.items() if task.done() and (task.cancelled() or task.exception())]
            if failed:
                return failed[0]
            if self.begin(number).done():
                return number
            await asyncio.wait({task for task in self._tasks.values() if not task.done()}, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            await settled(task)
