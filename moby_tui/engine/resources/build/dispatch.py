"""A whole Dockerfile: what stands before the first stage, the stages in their order, the one that is wanted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from moby_tui.engine.resources.build import shell_words
from moby_tui.engine.resources.build.image import BuiltImage, scratch
from moby_tui.engine.resources.build.parser import Instruction, nearest, parse, parse_trigger, wrong
from moby_tui.engine.resources.build.stage import PROXIES, Stage
from moby_tui.engine.resources.build.stages import Stages, Turn, needed
from moby_tui.engine.resources.build.step import StepFailed
from moby_tui.engine.resources.build.workshop import Workshop
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.content import digest_of
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode

if TYPE_CHECKING:
    from moby_tui.engine.resources.build.builder import Request

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


class Build:
    """Parsed and checked as far as that goes without carrying anything out."""

    def __init__(self, text: bytes, request: Request) -> None:
        """Raises ``InvalidArgument`` with the line that is wrong, ``NotImplementedYet``."""
        self.dockerfile = parse(text)
        self._request = request
        self._before: list[Instruction] = []
        self._stages: list[list[Instruction]] = []
        for instruction in self.dockerfile.instructions:
            if instruction.name == "FROM":
                self._stages.append([instruction])
            elif self._stages:
                self._stages[-1].append(instruction)
            elif instruction.name == "ARG":
                self._before.append(instruction)
            else:
                raise wrong(instruction.line, "no build stage in current context; begin with FROM")
        if not self._stages:
            raise InvalidArgument("the Dockerfile has no build stage; begin it with FROM")
        self._names = [_stage_name(stage[0]) for stage in self._stages]
        self._stages = self._stages[: self._wanted() + 1]
        self._consumed: set[str] = set()
        #: the number of each stage's first step, and of all steps
        self._starts: dict[int, int] = {}
        self._total = 0
        self._made: dict[int, Stage] = {}
        self._turns: dict[int, Turn] = {}

    def _wanted(self) -> int:
        target = self._request.target
        if not target:
            return len(self._stages) - 1
        if target.lower() in self._names:
            return self._names.index(target.lower())
        if target.isdecimal() and int(target) < len(self._stages):
            return int(target)
        raise InvalidArgument(
            f"failed to reach build target {target} in Dockerfile{nearest(target, [name for name in self._names if name])}"
        )

    async def run(self, shop: Workshop) -> BuiltImage:
        """Raises what an instruction can fail with, told with its line."""
        outer = self._outer_arguments(shop.escape)
        target = len(self._stages) - 1
        wanted = needed(self._names, self._stages, target, outer, shop.escape)
        self._count(wanted)
        for number, instruction in enumerate(self._before, 1):
            self._announce(shop, number, instruction.text)
        await self._run_stages(shop, wanted, outer)
        stage = self._made[target]
        if labels := sorted(self._request.labels.items()):
            self._announce(shop, self._total, "LABEL " + " ".join(f"{key}={value}" for key, value in labels))
            await stage.label(labels)
        if unused := sorted(self._request.build_args.keys() - self._consumed - PROXIES):
            shop.say(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")
        return stage.image

    async def _run_stages(self, shop: Workshop, wanted: list[int], outer: dict[str, str]) -> None:
        """All at once, each waiting for what it needs; told in their order. Raises what the first that fails does."""

        async def make(number: int) -> BuiltImage:
            turn = self._turns.setdefault(number, Turn(shop.report))
            if number not in wanted:
                # a trigger of an image wants it
                turn.open()
            own = replace(shop, report=turn, stages=stages, position=number)
            self._made[number] = await self._run_stage(own, self._stages[number], outer)
            return self._made[number].image

        stages = Stages(self._names, make)
        try:
            tasks = {number: stages.begin(number) for number in wanted}
            # each has begun to speak by then
            await asyncio.sleep(0)
            for number in wanted:
                self._turns[number].open()
                first = await stages.until(number)
                if first != number:
                    self._turns[first].open()
                await stages.begin(first)
            for task in tasks.values():
                await task
        finally:
            await stages.close()

    def _count(self, wanted: list[int]) -> None:
        self._total = len(self._before)
        for number in wanted:
            self._starts[number] = self._total + 1
            self._total += len(self._stages[number])
        self._total += bool(self._request.labels)
        for number in set(range(len(self._stages))) - set(wanted):
            # what they would have used is no mistake of the caller's
            names = (instruction.value.partition("=")[0] for instruction in self._stages[number] if instruction.name == "ARG")
            self._consumed |= set(names)

    def _announce(self, shop: Workshop, number: int, text: str) -> None:
        shop.say(f"Step {number}/{self._total} : {text}\n")

    def _outer_arguments(self, escape: str) -> dict[str, str]:
        """ARGs before the first FROM: for FROM, and for stages that declare them again; those of the platform are there by themselves."""
        here = platforms.host()
        known = {
            f"{where}{what}": value
            for where in ("TARGET", "BUILD")
            for what, value in (
                ("PLATFORM", platforms.text(here)),
                ("OS", here.os),
                ("ARCH", here.architecture),
                ("VARIANT", here.variant),
            )
        }
        for instruction in self._before:
            with _told(instruction):
                for word in shell_words.raw_words(instruction.value, escape):
                    name, equals, default = word.partition("=")
                    self._consumed.add(name)
                    if name in self._request.build_args:
                        known[name] = self._request.build_args[name]
                    elif equals:
                        known[name] = shell_words.expand(default, known, escape)
        return known

    async def _run_stage(self, shop: Workshop, instructions: list[Instruction], outer: dict[str, str]) -> Stage:
        first, *rest = instructions
        start = self._starts.get(shop.position, self._total)
        self._announce(shop, start, first.text)
        with _told(first):
            image = await _base(shop, first, outer)
        if image.id:
            shop.say(f" ---> {image.short}\n")
        else:
            shop.say(" --->\n")
        triggers = [parse_trigger(first.line, text) for text in image.execution.on_build or ()]
        stage = Stage(shop, _without_triggers(image), self._request.build_args, outer, self._consumed)
        if triggers:
            shop.say(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}\n")
        for trigger in triggers:
            with _told(first):
                await stage.carry_out(trigger)
        for number, instruction in enumerate(rest, start + 1):
            self._announce(shop, number, instruction.text)
            with _told(instruction):
                await stage.carry_out(instruction)
        return stage


def _without_triggers(image: BuiltImage) -> BuiltImage:
    """They are for whoever builds on this image, not for those who build on the result."""
    if not image.execution.on_build:
        return image
    config = decode(encode(image.config), oci.ImageConfig)
    assert config.config is not None
    config.config.on_build = None
    return BuiltImage(digest_of(encode(config)), config, image.blobs)


async def _base(shop: Workshop, instruction: Instruction, outer: dict[str, str]) -> BuiltImage:
    name = shell_words.expand(instruction.value.split()[0], outer, shop.escape)
    if not name:
        raise InvalidArgument(f"base name ({instruction.value.split()[0]}) should not be blank")
    platform = shell_words.expand(instruction.flags.get("platform", ""), outer, shop.escape)
    if not platforms.runs(platforms.host(), platforms.parse(platform)):
        raise NotImplementedYet(f"FROM --platform={platform}")
    if name == "scratch":
        return scratch()
    image = await shop.stage(name)
    if image is None:
        image = await shop.image(name)
    return image


def _stage_name(instruction: Instruction) -> str:
    """The name after AS, in lower case, or none."""
    words = instruction.value.split()
    if len(words) == 1:
        return ""
    if len(words) != 3 or words[1].lower() != "as":
        raise wrong(instruction.line, "FROM requires either one or three arguments: FROM image, or FROM image AS name")
    name = words[2].lower()
    if not _STAGE_NAME.fullmatch(name) or name == "scratch":
        raise wrong(instruction.line, f'invalid name for build stage: "{words[2][:80]}"')
    return name


@contextmanager
def _told(instruction: Instruction) -> Iterator[None]:
    """What goes wrong is told with the line where it does; a command that fails is told as Docker tells it."""
    try:
        yield
    except MobyError as error:
        if error.line:
            # of another stage, which this one waits for
            raise
        error.line = instruction.line
        if isinstance(error, StepFailed):
            raise
        error.message = f"{error.message} (Dockerfile line {instruction.line})"
        error.args = (error.message,)
        raise
