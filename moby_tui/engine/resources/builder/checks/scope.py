"""Checks that follow names: variables from where they are set to where they are used, paths, platforms, files that are left out."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from moby_tui import reference
from moby_tui.engine.resources.builder.checks.finding import Finding, Findings
from moby_tui.engine.resources.dockerfile import arguments, shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction, nearest
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.patterns import Ignore

_DEFAULT = "PATH"
_EXPANDED = ("EXPOSE", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
_URLS = ("http://", "https://", "git://", "ssh://", "git@")


@dataclass
class _Scope:
    """A stage at its end. ``names`` are the variables that are set; None if the base image, which is not here, may set others."""

    names: set[str] | None
    has_directory: bool = False


@dataclass
class Scopes:
    """``platform`` are the arguments that need no ARG; ``environment`` gives the variables of an image, if the image is here."""

    escape: str
    platform: dict[str, str]
    build_args: dict[str, str]
    environment: Callable[[str], set[str] | None]
    ignore: Ignore | None = None
    _made: dict[str, _Scope] = field(default_factory=dict)

    def findings(self, before: list[Instruction], stages: list[list[Instruction]]) -> Findings:
        """``before`` are the ARGs before the first stage."""
        known = dict(self.platform)
        defaults = dict(self.platform)
        for instruction in before:
            for word in shell_words.raw_words(instruction.value, self.escape):
                name, _, value = word.partition("=")
                defaults[name] = self._expanded(value, defaults) or ""
                known[name] = self.build_args.get(name, self._expanded(value, known) or "")
        for number, stage in enumerate(stages):
            yield from self._beginning(stage[0], known, defaults)
            yield from self._stage(number, stage, known)

    def _expanded(self, text: str, variables: dict[str, str]) -> str | None:
        try:
            return shell_words.expand(text, variables, self.escape)
        except InvalidArgument:
            return None

    def _undefined(self, texts: Iterable[str], variables: dict[str, str]) -> list[str]:
        names: dict[str, None] = {}
        for text in texts:
            try:
                names |= dict.fromkeys(shell_words.undefined(text, variables, self.escape))
            except InvalidArgument:
                # the build itself reports it
                continue
        return list(names)

    # FROM

    def _beginning(self, instruction: Instruction, known: dict[str, str], defaults: dict[str, str]) -> Findings:
        base, platform = instruction.value.split()[0], instruction.flags.get("platform", "")
        line = instruction.line
        for name in self._undefined([base, platform], known):
            yield Finding(line, "UndefinedArgInFrom", f"FROM argument '{name}' is not declared{nearest(name, list(known))}")
        yield from _platform(instruction, platform)
        image = self._expanded(base, defaults)
        if image is not None and not _is_reference(image):
            text = f"Default value for ARG {base} results in empty or invalid base image name"
            yield Finding(line, "InvalidDefaultArgInFrom", text)

    # The instructions of a stage

    def _stage(self, number: int, stage: list[Instruction], known: dict[str, str]) -> Findings:
        words = stage[0].value.split()
        scope = self._base(self._expanded(words[0], known) or "")
        # the base image, which is not here, may set them
        names = dict.fromkeys(scope.names or (), "")
        for instruction in stage[1:]:
            if scope.names is not None:
                for name in self._undefined(self._texts(instruction), names):
                    meant = nearest(name, list(names)).replace("mean ", "mean $")
                    yield Finding(instruction.line, "UndefinedVar", f"Usage of undefined variable '${name}'{meant}")
            names |= dict.fromkeys(_declared(instruction, self.escape), "")
            if instruction.name == "WORKDIR":
                if not scope.has_directory and not instruction.value.startswith(("/", "$", '"/', "'/")):
                    text = f'Relative workdir "{instruction.value}" can have unexpected results if the base image changes'
                    yield Finding(instruction.line, "WorkdirRelativePath", text)
                scope.has_directory = True
            yield from self._left_out(instruction)
        made = _Scope(None if scope.names is None else set(names), scope.has_directory)
        self._made[str(number)] = made
        if len(words) == 3:
            self._made[words[2].lower()] = made

    def _base(self, name: str) -> _Scope:
        """The variables at the start of a stage, from its base."""
        if (made := self._made.get(name.lower())) is not None:
            return _Scope(None if made.names is None else set(made.names), made.has_directory)
        if name == "scratch":
            return _Scope({_DEFAULT})
        return _Scope(self.environment(name) if name else None)

    def _texts(self, instruction: Instruction) -> list[str]:
        """The parts of an instruction in which the builder replaces variables."""
        if instruction.name in ("ADD", "COPY"):
            markers = {document.marker for document in instruction.documents}
            words = [word for word in shell_words.raw_words(instruction.value, self.escape) if word not in markers]
            flags = [instruction.flags[name] for name in ("chown", "chmod", "checksum") if name in instruction.flags]
            return [*words, *flags, *instruction.repeated.get("exclude", ())]
        if instruction.name == "RUN":
            return instruction.repeated.get("mount", [])
        if instruction.name in ("ENV", "LABEL"):
            try:
                return [text for pair in arguments.pairs(instruction.name, instruction.value, self.escape) for text in pair]
            except InvalidArgument:
                return []
        return [instruction.value] if instruction.name in ("ARG", *_EXPANDED) else []

    def _left_out(self, instruction: Instruction) -> Findings:
        """The sources that ``.dockerignore`` excludes. Only for files without exceptions (``!``), whose meaning is certain."""
        if self.ignore is None or self.ignore.has_exceptions or instruction.name not in ("ADD", "COPY"):
            return
        markers = {document.marker for document in instruction.documents}
        for source in instruction.value.split()[:-1] if "from" not in instruction.flags else ():
            path = posixpath.normpath(source).lstrip("/")
            if source not in markers and not source.startswith(_URLS) and self.ignore.excludes(path):
                verb = instruction.name.capitalize()
                text = f'Attempting to {verb} file "{path}" that is excluded by .dockerignore'
                yield Finding(instruction.line, "CopyIgnoredFile", text)


def _declared(instruction: Instruction, escape: str) -> list[str]:
    """The variables that an instruction sets."""
    if instruction.name == "ARG":
        return [word.partition("=")[0] for word in shell_words.raw_words(instruction.value, escape)]
    if instruction.name == "ENV":
        words = shell_words.raw_words(instruction.value, escape)
        return [word.partition("=")[0] for word in (words if "=" in words[0] else words[:1])]
    return []


def _platform(instruction: Instruction, platform: str) -> Findings:
    """The rules RedundantTargetPlatform and FromPlatformFlagConstDisallowed, for the ``--platform`` of a FROM."""
    if platform.strip("\"'") in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
        text = f"Setting platform to predefined {platform} in FROM is redundant as this is the default behavior"
        yield Finding(instruction.line, "RedundantTargetPlatform", text)
    elif platform and "$" not in platform:
        try:
            parsed = platforms.parse(platform)
        except MobyError:
            # the build itself reports it
            return
        name = "".join(instruction.value.split()[2:3])
        if (
            parsed is not None
            and not (parsed.os and parsed.os in name)
            and not (parsed.architecture and parsed.architecture in name)
        ):
            text = f'FROM --platform flag should not use constant value "{platform}"'
            yield Finding(instruction.line, "FromPlatformFlagConstDisallowed", text)


def _is_reference(name: str) -> bool:
    try:
        reference.parse(name)
    except MobyError:
        return False
    return True
