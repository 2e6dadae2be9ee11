"""Runs a whole Dockerfile: the ARGs before the first stage, the stages that the target needs, their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from moby_tui.engine.resources.builder.checks import directive, writing
from moby_tui.engine.resources.builder.checks.finding import STAGE_RULES, Finding, place
from moby_tui.engine.resources.builder.checks.scope import Scopes
from moby_tui.engine.resources.builder.graph import literals
from moby_tui.engine.resources.builder.graph import outline as outlines
from moby_tui.engine.resources.builder.graph.reading import check_forms, check_numbers, stage_name, with_line
from moby_tui.engine.resources.builder.graph.stage import PROXIES, Stage
from moby_tui.engine.resources.builder.graph.stages import (
    Stages,
    Turn,
    context_paths,
    find,
    needed,
    needs_context,
    needs_told,
    sources,
)
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import DEFAULT_PATH, BuiltImage
from moby_tui.engine.resources.builder.narration import Place
from moby_tui.engine.resources.builder.sources.named import canonical
from moby_tui.engine.resources.dockerfile import forms, shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction, nearest, parse, parse_trigger, wrong
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.errors import InvalidArgument, NotFound, Unauthorized, Unavailable
from moby_tui.patterns import Ignore
from moby_tui.reference import parse as parse_reference
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode
from moby_tui.schema.image import PlannedStage, PlannedStep

if TYPE_CHECKING:
    from moby_tui.schema.build import BuildOptions, Outline, Target

#: The instructions that the live progress shows as steps; the others take no time.
_TOLD = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")
#: Build arguments for the builder itself: no warning if no ARG uses them.
UNTOLD = PROXIES | {
    "SOURCE_DATE_EPOCH",
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "BUILDKIT_INLINE_CACHE",
    "BUILDKIT_SYNTAX",
    directive.ARGUMENT,
}


class Build:
    """A parsed Dockerfile, checked as far as possible before anything is made."""

    def __init__(self, text: bytes, request: BuildOptions) -> None:
        """Raises ``InvalidArgument`` with the line that is wrong."""
        self.dockerfile = parse(text, any_syntax=request.any_syntax)
        check_forms(self.dockerfile)
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
                error = wrong(instruction.line, "no build stage in current context; begin with FROM")
                error.buildkit = "no build stage in current context; begin with FROM"
                raise error
        if not self._stages:
            unbuilt = InvalidArgument("the Dockerfile has no build stage; begin it with FROM")
            unbuilt.buildkit = "dockerfile contains no stages to build; begin one with FROM"
            raise unbuilt
        self._names = [stage_name(stage[0]) for stage in self._stages]
        check_numbers(self._stages)
        #: all stages, also those after the target
        self._written = self._stages
        self._stages = self._stages[: self._wanted() + 1]
        self.checks = directive.read(request.build_args.get(directive.ARGUMENT, self.dockerfile.check))
        self._consumed: set[str] = set()
        #: the number of each stage's first step, and of all steps
        self._starts: dict[int, int] = {}
        self._total = 0
        #: what FROM names, of the stages that are being made
        self._base_names: dict[int, str] = {}
        #: the ONBUILD instructions of their base images
        self._triggers: dict[int, list[Instruction]] = {}
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
        text = f'target stage "{target}" could not be found'
        if self._request.classic:
            raise InvalidArgument(text)
        unknown = InvalidArgument(
            f"failed to reach build target {target} in Dockerfile{nearest(target, [name for name in self._names if name])}"
        )
        unknown.buildkit = text
        raise unknown

    def findings(self, environment: Callable[[str], set[str] | None], ignore: Ignore | None) -> list[Finding]:
        """The warnings of the build checks. ``environment`` gives the variables of a local image."""
        escape = self.dockerfile.escape
        scopes = Scopes(escape, _platform_arguments(platforms.host()), self._request.build_args, environment, ignore)
        findings = [*writing.findings(self._before, self._written, escape), *scopes.findings(self._before, self._written)]
        unmade = [] if self._request.check else self._lines_not_made()
        told = (
            finding
            for finding in findings
            if self.checks.counts(finding)
            and (finding.rule not in STAGE_RULES or not any(finding.line in lines for lines in unmade))
        )
        return sorted(sorted(told), key=place)

    def _lines_not_made(self) -> list[range]:
        """The lines of the stages that the target does not need."""
        escape = self.dockerfile.escape
        outer = self._outer_arguments(escape, platforms.host())
        made = set(needed(self._names, self._stages, len(self._stages) - 1, outer, escape))
        return [range(stage[0].line, stage[-1].end + 1) for number, stage in enumerate(self._written) if number not in made]

    def used(self, contexts: Mapping[str, str], has_triggers: Callable[[str], bool]) -> dict[str, str]:
        """The named contexts that the build may need, by their names, with a platform perhaps; ``has_triggers`` as for ``context_paths``."""
        names = {name for stage in self._written for name in sources(stage)}
        if self._certain(has_triggers) is None or any("$" in name for name in names):
            return dict(contexts)
        known = {form for name in names for form in (name.lower(), canonical(name))}
        return {
            name: source
            for name, source in contexts.items()
            if {name.partition("::")[0].lower(), canonical(name.partition("::")[0])} & known
        }

    def targets(self) -> list[Target]:
        return outlines.targets(self._written, [stage_name(stage[0]) for stage in self._written])

    def outline(self) -> Outline:
        """Of the target that is asked for."""
        position = len(self._stages) - 1
        outer = self._outer_arguments(self.dockerfile.escape, platforms.host())
        wanted = needed(self._names, self._stages, position, outer, self.dockerfile.escape)
        stages = [self._stages[number] for number in wanted]
        return outlines.outline(
            self.targets()[position],
            stages,
            self._request.build_args,
            _platform_arguments(platforms.host()),
            self.dockerfile.escape,
        )

    def plan(self) -> list[PlannedStage]:
        """All stages; the last that is wanted is the target."""
        escape = self.dockerfile.escape
        outer = self._outer_arguments(escape, platforms.host())
        wanted = set(needed(self._names, self._stages, len(self._stages) - 1, outer, escape))
        planned = []
        for number, stage in enumerate(self._written):
            base = stage[0].value.split()[0]
            with suppress(InvalidArgument):  # the build tells it when the turn of the stage comes
                base = shell_words.expand(base, outer, escape)
            is_image = base not in ("", "scratch") and find(self._names, base, number) is None
            shown = [each for each in stage if each.name in _TOLD and (each.name != "FROM" or is_image)]
            steps = [PlannedStep(each.text, (each.line, each.end)) for each in shown]
            needs = sorted(needs_told(self._names, stage, number, outer, escape))
            planned.append(PlannedStage(stage_name(stage[0]), base, needs, number in wanted, steps))
        return planned

    def context_paths(self, has_triggers: Callable[[str], bool]) -> list[str] | None:
        """The paths of the context that the target's stages take; None for all. ``has_triggers``: of an image, or not known."""
        wanted = self._certain(has_triggers)
        return None if wanted is None else context_paths([self._stages[number] for number in wanted])

    def _certain(self, has_triggers: Callable[[str], bool]) -> list[int] | None:
        """The stages that the target needs; None if instructions of base images may need more."""
        outer = self._outer_arguments(self.dockerfile.escape, platforms.host())
        wanted = needed(self._names, self._stages, len(self._stages) - 1, outer, self.dockerfile.escape)
        for number in wanted:
            name = _base_name(self._stages[number][0], outer, self.dockerfile.escape)
            if name not in ("", "scratch") and find(self._names, name, number) is None and has_triggers(name):
                return None
        return wanted

    async def run(self, shop: Workshop) -> BuiltImage:
        """Makes the target. Raises the error of an instruction, with its line in the Dockerfile."""
        outer = self._outer_arguments(shop.escape, shop.platform)
        target = len(self._stages) - 1
        # a stage that a named context replaces is not made
        self._names = ["" if name and shop.named.find(name) else name for name in self._names]
        wanted = needed(self._names, self._stages, target, outer, shop.escape)
        self._count(wanted)
        if not self._request.classic:
            self._check_literals(wanted, shop)
        for number, instruction in enumerate(self._before, 1):
            self._announce(shop, number, _written(instruction))
        await self._run_stages(shop, wanted, outer)
        stage = self._made[target]
        if labels := sorted(self._request.labels.items()):
            self._announce(shop, self._total, "LABEL " + " ".join(f"{key}={value}" for key, value in labels))
            await stage.label(labels)
            shop.note(f" ---> {stage.image.short}\n")
        if unused := sorted(self._request.build_args.keys() - self._consumed - UNTOLD):
            shop.say(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")
        return stage.image

    def _check_literals(self, wanted: list[int], shop: Workshop) -> None:
        for instruction in (each for number in wanted for each in self._stages[number]):
            with with_line(instruction):
                literals.check(instruction, shop.escape, shop.allowed)
        for number in wanted:
            for instruction in self._stages[number]:
                with with_line(instruction):
                    literals.check_stages(instruction, self._names, number)

    async def _run_stages(self, shop: Workshop, wanted: list[int], outer: dict[str, str]) -> None:
        """Runs stages in parallel; each waits for those that it needs. Output comes in order. Raises the error of the first that fails."""

        async def make(number: int) -> BuiltImage:
            turn = self._turns.setdefault(number, Turn(shop.report))
            if number not in wanted or shop.report.live:
                # an ONBUILD trigger uses it; or live output, whose lines name their step
                turn.open()
            anew = shop.anew or (self._names[number] or str(number)) in map(str.lower, self._request.no_cache_filter)
            own = replace(shop, report=shop.report.of(turn), stages=stages, position=number, anew=anew)
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
            # arguments that the stages not made would have used are no mistake of the caller's
            names = (instruction.value.partition("=")[0] for instruction in self._stages[number] if instruction.name == "ARG")
            self._consumed |= set(names)

    def _announce(self, shop: Workshop, number: int, text: str) -> None:
        shop.note(self._classic(number, text))

    def _classic(self, number: int, text: str) -> str:
        return f"Step {number}/{self._total} : {text}\n"

    def _live(self, shop: Workshop, instruction: Instruction, made: Stage | None = None) -> str:
        """The step's name as BuildKit shows it; empty for instructions that change the configuration only. ``made`` knows variables."""
        name = self._base_names.get(shop.position, "")
        named = shop.named.find(name)
        if instruction.name == "FROM" and named is not None:
            return f"[context {name}] {named.reference}" if named.reference else ""
        below = self._below(shop) or named
        first, *rest = self._stages[shop.position]
        triggers = self._triggers.get(shop.position, [])
        shown = [each for each in (first, *triggers, *rest) if each.name in _TOLD and (each.name != "FROM" or below)]
        index = next((index for index, each in enumerate(shown) if each is instruction), None)
        if index is None:
            return ""
        # BuildKit counts the triggers that have no step too
        total = len(shown) + sum(each.name not in _TOLD for each in triggers)
        stage = self._names[shop.position] or (f"stage-{shop.position}" if self._has_other_sources() else "")
        where = f"{index + (1 if named is None else 0)}/{total}"
        platform = f"{platforms.text(shop.platform)} " if len(self._request.platforms) > 1 else ""
        text = f"FROM {below}" if made is None else made.shown(instruction)
        if any(each is instruction for each in triggers):
            text = f"ONBUILD {text}"
        return f"[{platform}{f'{stage} ' if stage else ''}{where}] {text}"

    def _has_other_sources(self) -> bool:
        """True if files come from more than the context and one stage: then BuildKit names that stage by its number."""
        steps = [instruction for stage in self._stages for instruction in stage]
        return len(self._stages) > 1 or any("from" in step.flags or "mount" in step.repeated for step in steps)

    def _below(self, shop: Workshop) -> str:
        """The image below a stage, by its whole name; empty if that is another stage, or nothing."""
        name = self._base_names.get(shop.position, "")
        if name in ("", "scratch") or shop.named.find(name) or find(self._names, name, shop.position) is not None:
            return ""
        with suppress(InvalidArgument):
            return parse_reference(name).tagged().canonical
        return name

    def _outer_arguments(self, escape: str, target: oci.Platform) -> dict[str, str]:
        """ARGs before the first FROM: for FROM, and for stages that declare them again; those of the platform are there by themselves."""
        known = _platform_arguments(target) | {"TARGETSTAGE": self._names[len(self._stages) - 1] or "default"}
        known |= {name: value for name, value in self._request.build_args.items() if name in known}
        for instruction in self._before:
            with with_line(instruction):
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
        with with_line(first):
            self._base_names[shop.position] = _base_name(first, outer, shop.escape)
        self._look_for_base(shop)
        with (
            shop.report.step(self._live(shop, first), self._classic(start, _written(first)), _place(shop, first)),
            with_line(first),
            self._with_suggestion(first),
        ):
            image = await _base(shop, first, outer)
            below = find(self._names, _base_name(first, outer, shop.escape), shop.position)
        triggers = self._triggers[shop.position] = _triggers(image, first, shop.escape)
        prepared = _prepared_base(image)
        if (names := shop.cache.names.get(image.key)) is not None:
            shop.cache.names[prepared.key] = names
        stage = Stage(
            shop, prepared, self._request.build_args, outer, self._consumed, None if below is None else self._made[below]
        )
        if triggers:
            shop.note(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}\n")
        for trigger in triggers:
            await self._carry_out(shop, stage, trigger, "", first)
        shop.note(f" ---> {stage.image.short}\n" if stage.image.id else " --->\n")
        for number, instruction in enumerate(rest, start + 1):
            await self._carry_out(shop, stage, instruction, self._classic(number, _written(instruction)), instruction)
            shop.note(f" ---> {stage.image.short}\n")
        return stage

    async def _carry_out(
        self, shop: Workshop, stage: Stage, instruction: Instruction, classic: str, written: Instruction
    ) -> None:
        """Carries out a step. ``written`` is its instruction in the Dockerfile: FROM, if it is a trigger of the base image."""
        if needs_context(instruction):
            # before the step begins: the progress shows one after the other
            await shop.context()
        with (
            shop.report.step(self._live(shop, instruction, stage), classic, _place(shop, written)),
            with_line(written),
            self._with_suggestion(instruction),
        ):
            await stage.carry_out(instruction)

    def _look_for_base(self, shop: Workshop) -> None:
        """Tells a step of its own, as BuildKit does, before the one that may pull the image."""
        name = self._base_names[shop.position]
        named = shop.named.find(name)
        image, where = (named.reference, f"context {name}") if named else (self._below(shop), "internal")
        if image and shop.report.live:
            with shop.report.step(f"[{where}] load metadata for {image}", place=Place(shop.position)):
                shop.bases.is_here(image)

    @contextmanager
    def _with_suggestion(self, instruction: Instruction) -> Iterator[None]:
        """Adds a hint to the error for a missing image: it may be the misspelled name of a stage."""
        try:
            yield
        except (NotFound, Unauthorized, Unavailable) as error:
            for wanted in sources([instruction]) if not error.line else ():
                if wanted.lower() in self._names:
                    error.message += f"; the stage {wanted} comes only later"
                else:
                    error.message += nearest(wanted, [name for name in self._names if name])
            if instruction.name == "FROM" and not error.buildkit and not error.line:
                error.buildkit = _unresolved(instruction.value.split()[0], error.message)
            raise


def _written(instruction: Instruction) -> str:
    """The instruction with its name in the case that the Dockerfile has, as the classic builder shows it."""
    return f"{instruction.written}{instruction.text[len(instruction.name) :]}"


def _place(shop: Workshop, instruction: Instruction) -> Place:
    return Place(shop.position, (instruction.line, instruction.end))


def _unresolved(name: str, reason: str) -> str:
    """BuildKit's words for a base image that cannot be had."""
    with suppress(InvalidArgument):
        return f"{name}: failed to resolve source metadata for {parse_reference(name).tagged().canonical}: {reason}"
    return reason


def _prepared_base(image: BuiltImage) -> BuiltImage:
    """The base image, with a PATH, and without its triggers: they run in this build, not in builds on its result."""
    has_path = any(entry.partition("=")[0] == "PATH" for entry in image.execution.env or ())
    if has_path and not image.execution.on_build:
        return image
    config = decode(encode(image.config), oci.ImageConfig)
    config.config = config.config or oci.ExecutionConfig()
    config.config.on_build = None
    if not has_path:
        config.config.env = [*(config.config.env or ()), DEFAULT_PATH]
    return msgspec.structs.replace(image, id=digest_of(encode(config)), config=config)


def _platform_arguments(target: oci.Platform) -> dict[str, str]:
    """The platform arguments (``TARGETARCH`` and so on), which are set without an ARG."""
    return {
        f"{where}{what}": value
        for where, platform in (("TARGET", target), ("BUILD", platforms.host()))
        for what, value in (
            ("PLATFORM", platforms.text(platform)),
            ("OS", platform.os),
            ("ARCH", platform.architecture),
            ("VARIANT", platform.variant),
        )
    }


def _triggers(image: BuiltImage, first: Instruction, escape: str) -> list[Instruction]:
    """The ONBUILD instructions of the base image. Raises ``InvalidArgument`` before one of them is carried out."""
    triggers = [parse_trigger(first.line, text) for text in image.execution.on_build or ()]
    with with_line(first):
        for trigger in triggers:
            forms.check_syntax(trigger, escape)
            forms.check(trigger, escape)
    return triggers


def _base_name(instruction: Instruction, outer: dict[str, str], escape: str) -> str:
    return shell_words.expand(instruction.value.split()[0], outer, escape)


async def _base(shop: Workshop, instruction: Instruction, outer: dict[str, str]) -> BuiltImage:
    name = _base_name(instruction, outer, shop.escape)
    if not name:
        raise InvalidArgument(f"base name ({instruction.value.split()[0]}) should not be blank")
    platform = shell_words.expand(instruction.flags.get("platform", ""), outer, shop.escape)
    return await shop.base(name, platforms.parse(platform) if platform else None)
