"""One stage of a build: carries out its instructions, one after the other, on an image.

https://docs.docker.com/reference/dockerfile/. The lines of history are those of Docker's classic builder.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder.execution import copying, difference, mounts
from moby_tui.engine.resources.builder.execution.transfer import Transfer
from moby_tui.engine.resources.builder.graph import literals
from moby_tui.engine.resources.builder.graph.workshop import Change, Naming, Workshop
from moby_tui.engine.resources.builder.image import BuiltImage, Layer
from moby_tui.engine.resources.builder.llb import operations
from moby_tui.engine.resources.builder.llb.vertices import Names, Unknown
from moby_tui.engine.resources.builder.step import Step, StepFailed
from moby_tui.engine.resources.dockerfile import arguments, forms, shell_words
from moby_tui.engine.resources.dockerfile.parser import Document, Instruction
from moby_tui.engine.resources.images import wire
from moby_tui.engine.resources.images.manager import LocalImage
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci

_SHELL = ["/bin/sh", "-c"]
#: Characters of a script in the name of its step.
_SHOWN = 32
#: Build arguments that need no ARG, and are not part of the image's history.
PROXIES = frozenset(
    name for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for name in (upper, upper.lower())
)


class Stage:
    """``build_args`` are the caller's, ``outer`` the ARGs before the first FROM, ``below`` is the stage that this one begins from;
    ``consumed`` gathers what was asked for of the first."""

    def __init__(
        self,
        shop: Workshop,
        image: BuiltImage,
        build_args: dict[str, str],
        outer: dict[str, str],
        consumed: set[str],
        below: Stage | None,
    ) -> None:
        self.image = image
        self._shop = shop
        self._build_args = build_args
        self._outer = outer
        self._consumed = consumed
        self.arguments: dict[str, str] = dict(below.arguments) if below else {}
        #: every declared argument, an empty value for one without: BuildKit writes them in the history
        self._told_arguments: dict[str, str] = dict(below._told_arguments) if below else {}
        #: the variables of a command in the order of their last assignments, as BuildKit has them: the later of ARG and ENV counts
        self._assigned: dict[str, str] = dict(below._assigned) if below else {}
        self._assign(self._environment())
        self._has_command = False
        self._handlers: dict[str, Callable[[Instruction], Awaitable[None]]] = {
            "ADD": self._copy,
            "ARG": self._arg,
            "CMD": self._cmd,
            "COPY": self._copy,
            "ENTRYPOINT": self._entrypoint,
            "ENV": self._env,
            "EXPOSE": self._expose,
            "HEALTHCHECK": self._health_check,
            "LABEL": self._label,
            "MAINTAINER": self._maintainer,
            "ONBUILD": self._on_build,
            "RUN": self._run,
            "SHELL": self._shell,
            "STOPSIGNAL": self._stop_signal,
            "USER": self._user,
            "VOLUME": self._volume,
            "WORKDIR": self._working_directory,
        }

    async def carry_out(self, instruction: Instruction) -> None:
        """Carries out one instruction. Raises ``StepFailed``, ``InvalidArgument``, ``NotImplementedYet``, and what a start raises."""
        await self._handlers[instruction.name](instruction)

    # Words

    def _environment(self) -> dict[str, str]:
        return {entry.partition("=")[0]: entry.partition("=")[2] for entry in self.image.execution.env or ()}

    def _assign(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._assigned.pop(name, None)
            self._assigned[name] = value

    def _expand(self, text: str) -> str:
        return shell_words.expand(text, self._assigned, self._shop.escape)

    def shown(self, instruction: Instruction) -> str:
        """An instruction as BuildKit names its step: with the values of variables, and the first line of a script."""
        text = " ".join(instruction.text.splitlines())
        if instruction.documents:
            marks = {document.marker: re.sub("[\"']", "", document.marker) for document in instruction.documents}
            first = instruction.documents[0].text.strip().partition("\n")
            script = f" ({first[0][:_SHOWN]}{'...' if first[1] else ''})" if instruction.name == "RUN" else ""
            return " ".join(marks.get(word, word) for word in text.split(" ")) + script
        known = dict(self._assigned)
        for mount in instruction.repeated.get("mount", ()):
            if "type=secret" in mount:
                known |= {entry.removeprefix("env="): "****" for entry in mount.split(",") if entry.startswith("env=")}
        with suppress(InvalidArgument):
            unset = shell_words.undefined(text, known, self._shop.escape)
            return shell_words.expand_name(text, {**known, **{name: f"${name}" for name in unset}}, self._shop.escape)
        return text

    def _pairs(self, instruction: Instruction) -> list[tuple[str, str]]:
        words = arguments.pairs(instruction.name, instruction.value, self._shop.escape)
        return [(self._expand(key), self._expand(text)) for key, text in words]

    # Instructions that change the configuration only

    async def _note(self, text: str, change: Change, told: str = "") -> None:
        """``told`` is the line of history in BuildKit's words, ``text`` unless they differ."""
        self.image = await self._shop.advance(self.image, f"/bin/sh -c #(nop)  {text}", change, told=told or text)

    async def _arg(self, instruction: Instruction) -> None:
        notes, told = [], []
        for word in shell_words.raw_words(instruction.value, self._shop.escape):
            name, written = arguments.argument(word)
            default = self._expand(written or "")
            self._consumed.add(name)
            if name in self._build_args:
                self.arguments[name] = self._build_args[name]
            elif written is not None:
                self.arguments[name] = default
            elif name in self._outer:
                self.arguments[name] = self._outer[name]
            if name in self.arguments:
                self._assign({name: self.arguments[name]})
            notes.append(name + ("" if written is None else f"={default}"))
            told.append(f"{name}={self.arguments[name]}" if name in self.arguments else name)
            self._told_arguments[name] = self.arguments.get(name, "")
        await self._note(f"ARG {' '.join(notes)}", lambda config, execution: None, f"ARG {' '.join(told)}")

    async def _env(self, instruction: Instruction) -> None:
        new = self._pairs(instruction)
        self._assign(dict(new))

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            values = {entry.partition("=")[0]: entry.partition("=")[2] for entry in execution.env or ()} | dict(new)
            execution.env = [f"{key}={value}" for key, value in values.items()]

        await self._note("ENV " + " ".join(f"{key}={value}" for key, value in new), change)

    async def _label(self, instruction: Instruction) -> None:
        await self.label(self._pairs(instruction))

    async def label(self, new: list[tuple[str, str]]) -> None:
        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.labels = {**(execution.labels or {}), **dict(new)}

        await self._note("LABEL " + " ".join(f"{key}={value}" for key, value in new), change)

    async def _cmd(self, instruction: Instruction) -> None:
        command = self._command(instruction)
        self._has_command = True

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.cmd = command

        await self._note(f"CMD {_quoted(command)}", change)

    async def _entrypoint(self, instruction: Instruction) -> None:
        """Drops the base image's CMD: its arguments are for its own entrypoint."""
        command, keep = self._command(instruction), self._has_command

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.entrypoint = command
            execution.cmd = execution.cmd if keep else None

        await self._note(f"ENTRYPOINT {_quoted(command)}", change)

    async def _expose(self, instruction: Instruction) -> None:
        words = shell_words.split(instruction.value, self._assigned, self._shop.escape)
        # their order makes no other image
        ports = sorted(arguments.ports(words))

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.exposed_ports = dict(sorted(({**(execution.exposed_ports or {}), **{port: {} for port in ports}}).items()))

        await self._note(f"EXPOSE {' '.join(ports)}", change, f"EXPOSE [{' '.join(sorted(ports))}]")

    async def _volume(self, instruction: Instruction) -> None:
        paths = [self._expand(item).strip() for item in arguments.volumes(instruction.value)]
        for path in paths:
            arguments.check_volume(path)
        if self._shop.classic and self.image.config.rootfs.diff_ids:
            await in_thread(self._check_free_of_files, paths)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.volumes = {**(execution.volumes or {}), **{path: {} for path in paths}}

        await self._note(f"VOLUME [{' '.join(paths)}]", change)

    def _check_free_of_files(self, paths: list[str]) -> None:
        """Raises ``InvalidArgument`` for a volume where the image has a file: dockerd's classic builder mounts it at once. Blocking."""
        with self._shop.layering.opened(self.image) as root:
            for path in paths:
                with suppress(OSError), trees.closing(open_in_root(root, path, os.O_PATH)) as place:
                    if not stat.S_ISDIR(os.fstat(place).st_mode):
                        raise InvalidArgument(f"cannot mount volume over existing file, file exists {path}")

    async def _user(self, instruction: Instruction) -> None:
        user = self._expand(instruction.value)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.user = user

        await self._note(f"USER {user}", change)

    async def _stop_signal(self, instruction: Instruction) -> None:
        signal = self._expand(instruction.value)
        arguments.check_signal(signal)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.stop_signal = signal

        await self._note(f"STOPSIGNAL {signal}", change)

    async def _health_check(self, instruction: Instruction) -> None:
        health = arguments.health(instruction.value, forms.health_flags(instruction, self._shop.escape))

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.healthcheck = health

        await self._note(instruction.text, change, f"HEALTHCHECK {arguments.health_told(health)}")

    async def _on_build(self, instruction: Instruction) -> None:
        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.on_build = [*(execution.on_build or []), instruction.value]

        await self._note(f"ONBUILD {instruction.value}", change)

    async def _shell(self, instruction: Instruction) -> None:
        shell = arguments.shell(instruction.value)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.shell = shell

        await self._note(f"SHELL [{' '.join(shell)}]", change)

    async def _maintainer(self, instruction: Instruction) -> None:
        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            config.author = instruction.value

        await self._note(f"MAINTAINER {instruction.value}", change)

    def _command(self, instruction: Instruction) -> list[str]:
        return arguments.command(instruction.value, self.image.execution.shell or _SHELL) if instruction.value else []

    # Instructions that change files

    async def _working_directory(self, instruction: Instruction) -> None:
        """WORKDIR: makes the directory if it is missing, owned by the user."""
        path = self._below_working_directory(self._expand(instruction.value))
        name = path.strip("/").encode("utf-8", "surrogateescape")

        def make(root: int) -> None:
            attributes = copying.Attributes(*self._owner(root))
            with copying.explained("WORKDIR", name), trees.closing(copying.make_directory(root, name, attributes)):
                pass

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.working_dir = path

        self.image = await self._shop.advance(
            self.image,
            f"/bin/sh -c #(nop) WORKDIR {path}",
            change,
            lambda: self._shop.layering.change(self.image, make),
            naming=self._named_directory(path),
            told=f"WORKDIR {path}",
        )

    def _named_directory(self, path: str) -> Naming:
        async def naming(below: Names) -> Names:
            return operations.directory(below, path, self.image.execution.user)

        return naming

    def _owner(self, root: int) -> tuple[int, int]:
        """The ids of the stage's user; root's for a user or group that the image does not have, perhaps not yet."""
        text = self.image.execution.user
        name, _, group = text.partition(":")
        for known in (text, name, f":{group}"):
            with suppress(InvalidArgument):
                return self._shop.steps.owner(root, known)
        return 0, 0

    async def _run(self, instruction: Instruction) -> None:
        command, scripts = self._command_and_scripts(instruction)
        wanted = [
            mounts.read(self._expand(text), self.image.execution.working_dir) for text in instruction.repeated.get("mount", ())
        ]
        network, security = forms.mode(instruction, "network"), forms.mode(instruction, "security")
        literals.require(instruction, self._shop.allowed)
        present = self._environment()
        proxies = {name: value for name, value in self._proxies().items() if name not in present}
        traced = {name: self._assigned[name] for name in self.arguments if self._assigned[name] != present.get(name)}
        arguments = [f"{name}={value}" for name, value in sorted(traced.items())]
        created_by = " ".join([*([f"|{len(arguments)}", *arguments] if arguments else []), *command])
        environment = [f"{name}={value}" for name, value in ({**proxies, **traced}).items()]
        step = Step(
            self._local(instruction), self._executed(command), environment, network=network, insecure=security == "insecure"
        )

        async def produce() -> Layer | None:
            async with mounts.prepared(self._shop, wanted, scripts) as ready:
                return await self._layer_of(replace(step, environment=environment + ready.environment, trees=ready.trees))

        content = await mounts.content_of(self._shop, wanted) + "".join(script.text for script in scripts)
        content += "".join(way for way in (network, security) if way not in ("default", "sandbox"))
        # BuildKit has the shell run a script; here the script's first line says what runs it
        words = [*(self.image.execution.shell or _SHELL), *command] if scripts else command
        naming = self._named_run(words, instruction, partial(mounts.named, self._shop, wanted, scripts))
        count = [f"|{len(self._told_arguments)}", *(f"{name}={value}" for name, value in self._told_arguments.items())]
        told = " ".join(["RUN", *(count if self._told_arguments else []), *command, "# buildkit"])
        self.image = await self._shop.advance(self.image, created_by, produce=produce, content=content, naming=naming, told=told)

    def _proxies(self) -> dict[str, str]:
        """The proxies of the build's arguments, in upper and in lower case, as BuildKit gives them to commands."""
        given = {name: value for name, value in self._build_args.items() if name in PROXIES}
        return {form: value for name, value in given.items() for form in (name.upper(), name.lower())} | given

    def _executed(self, command: list[str]) -> list[str]:
        """``RUN []`` of dockerd's classic builder is what a container of the image runs."""
        if command or not self._shop.classic:
            return command
        return [*(self.image.execution.entrypoint or ()), *(self.image.execution.cmd or ())]

    def _named_run(
        self,
        command: list[str],
        instruction: Instruction,
        named_mounts: Callable[[], Awaitable[list[operations.Mount]]],
    ) -> Naming:
        host, config, assigned = self._shop.host, self.image.config, dict(self._assigned)

        async def naming(below: Names) -> Names:
            if instruction.documents and self.image.execution.shell not in (None, [], _SHELL):
                raise Unknown("a script runs in another shell than /bin/sh")
            if instruction.flags.get("network") == "default" and host.network_mode not in ("", "default"):
                raise Unknown("--network=default runs in the network of the build here, and in the usual one with BuildKit")
            if host.extra_hosts or host.ulimits or host.shm_size or host.cgroup_parent:
                raise Unknown("the command has hosts, limits or a control group of the build's")
            return operations.execution(
                below,
                command,
                [f"{name}={value}" for name, value in assigned.items()],
                self.image.execution,
                oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant),
                await named_mounts(),
                network=instruction.flags.get("network", host.network_mode),
                insecure=instruction.flags.get("security") == "insecure",
            )

        return naming

    def _command_and_scripts(self, instruction: Instruction) -> tuple[list[str], list[Document]]:
        """With ``RUN <<EOF`` the document is the script; in any other command the shell reads the documents itself."""
        documents, shell = instruction.documents, self.image.execution.shell or _SHELL
        if not documents:
            return self._command(instruction), []
        first = documents[0]
        if instruction.value != first.marker:
            return [*shell, f"{instruction.value}\n{''.join(document.raw for document in documents)}"], []
        if first.text.startswith("#!"):
            return [f"{mounts.SCRIPTS}/{first.name}"], [first]
        return [*shell, first.text], []

    async def _layer_of(self, step: Step) -> Layer | None:
        short = ""

        def began(container: str) -> None:
            nonlocal short
            short = container[:12]
            self._shop.note(f" ---> Running in {short}\n")

        async with self._shop.run(step, began=began) as ended:
            if self._shop.store is not None and self._shop.keeps(ended.exit_code):
                await self._shop.store(self.image)
                ended.is_kept = True
            if ended.exit_code:
                raise StepFailed(step.command, ended.exit_code)
            layer = await self._shop.layering.layer(
                difference.layer(ended.upper, step.image.layers, ended.mount_points, self._shop.epoch)
            )
        if not ended.is_kept:
            self._shop.note(f" ---> Removed intermediate container {short}\n")
        return layer

    def _local(self, instruction: Instruction) -> LocalImage:
        return LocalImage(
            self.image.id,
            f"Dockerfile line {instruction.line}",
            wire.config_to_keep(self.image.config),
            self._shop.layering.stack(self.image),
        )

    async def _copy(self, instruction: Instruction) -> None:
        def expand_text(text: str) -> str:
            return shell_words.expand_text(text, self._assigned, self._shop.escape)

        self.image = await Transfer(self._shop, self.image, instruction, self._expand, expand_text).carry_out()

    def _below_working_directory(self, path: str) -> str:
        joined = posixpath.normpath(posixpath.join("/", self.image.execution.working_dir, path))
        return "/" + joined.lstrip("/")


def _quoted(command: list[str]) -> str:
    return f"[{' '.join(json.dumps(word, ensure_ascii=False) for word in command)}]"
