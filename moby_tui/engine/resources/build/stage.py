"""One stage of a build: an image, and what each instruction makes of it.

https://docs.docker.com/reference/dockerfile/. The lines of history are those of Docker's classic builder.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

from moby_tui.engine.kernel import trees
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.build import arguments, copying, difference, mounts, shell_words
from moby_tui.engine.resources.build.brought import Brought
from moby_tui.engine.resources.build.image import BuiltImage, Layer
from moby_tui.engine.resources.build.parser import Document, Instruction, nearest, parse_trigger
from moby_tui.engine.resources.build.patterns import Ignore
from moby_tui.engine.resources.build.step import Step, StepFailed
from moby_tui.engine.resources.build.workshop import Change, Workshop
from moby_tui.engine.resources.images import tar
from moby_tui.engine.resources.images.apply import apply
from moby_tui.engine.resources.images.compression import decompress
from moby_tui.engine.resources.images.manager import LocalImage
from moby_tui.engine.resources.images.threads import in_thread
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema import oci

_SHELL = ["/bin/sh", "-c"]
#: Build arguments that need no ARG, and leave no trace in the image.
PROXIES = frozenset(
    name for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for name in (upper, upper.lower())
)
_URLS = ("http://", "https://", "ftp://", "git://", "git@", "ssh://")
_NETWORKS = ("default", "none", "host")
_PACKED = (b"BZh", b"\xfd7zXZ")


class Stage:
    """``build_args`` are the caller's, ``outer`` the ARGs before the first FROM; ``consumed`` gathers what was asked for of the former."""

    def __init__(
        self, shop: Workshop, image: BuiltImage, build_args: dict[str, str], outer: dict[str, str], consumed: set[str]
    ) -> None:
        self.image = image
        self._shop = shop
        self._build_args = build_args
        self._outer = outer
        self._consumed = consumed
        self._arguments: dict[str, str] = {}
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
        """Raises ``StepFailed``, ``InvalidArgument``, ``NotImplementedYet`` and what a container can fail with."""
        await self._handlers[instruction.name](instruction)

    # Words

    def _environment(self) -> dict[str, str]:
        return {entry.partition("=")[0]: entry.partition("=")[2] for entry in self.image.execution.env or ()}

    def _expand(self, text: str) -> str:
        return shell_words.expand(text, {**self._arguments, **self._environment()}, self._shop.escape)

    def _pairs(self, instruction: Instruction) -> list[tuple[str, str]]:
        found = arguments.pairs(instruction.name, instruction.value, self._shop.escape)
        return [(self._expand(key), self._expand(text)) for key, text in found]

    # Instructions that alter the configuration alone

    async def _note(self, text: str, change: Change) -> None:
        self.image = await self._shop.advance(self.image, f"/bin/sh -c #(nop)  {text}", change)

    async def _arg(self, instruction: Instruction) -> None:
        notes = []
        for word in shell_words.raw_words(instruction.value, self._shop.escape):
            name, equals, default = word.partition("=")
            if not name:
                raise InvalidArgument("ARG names can not be blank")
            default = self._expand(default)
            self._consumed.add(name)
            if name in self._build_args:
                self._arguments[name] = self._build_args[name]
            elif equals:
                self._arguments[name] = default
            elif name in self._outer:
                self._arguments[name] = self._outer[name]
            notes.append(name + (f"={default}" if equals else ""))
        await self._note(f"ARG {' '.join(notes)}", lambda config, execution: None)

    async def _env(self, instruction: Instruction) -> None:
        new = self._pairs(instruction)

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
        """The arguments that the base image has are for its own entrypoint."""
        command, keep = self._command(instruction), self._has_command

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.entrypoint = command
            execution.cmd = execution.cmd if keep else None

        await self._note(f"ENTRYPOINT {_quoted(command)}", change)

    async def _expose(self, instruction: Instruction) -> None:
        words = shell_words.split(instruction.value, {**self._arguments, **self._environment()}, self._shop.escape)
        ports = arguments.ports(words)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.exposed_ports = {**(execution.exposed_ports or {}), **{port: {} for port in ports}}

        await self._note(f"EXPOSE {' '.join(ports)}", change)

    async def _volume(self, instruction: Instruction) -> None:
        items = arguments.listed(instruction.value)
        paths = [self._expand(item).strip() for item in (instruction.value.split() if items is None else items)]
        if not paths or not all(paths):
            raise InvalidArgument("VOLUME specified can not be an empty string")

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.volumes = {**(execution.volumes or {}), **{path: {} for path in paths}}

        await self._note(f"VOLUME [{' '.join(paths)}]", change)

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
        health = arguments.health(instruction.value, instruction.flags)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.healthcheck = health

        await self._note(instruction.text, change)

    async def _on_build(self, instruction: Instruction) -> None:
        parse_trigger(instruction.line, instruction.value)

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.on_build = [*(execution.on_build or []), instruction.value]

        await self._note(f"ONBUILD {instruction.value}", change)

    async def _shell(self, instruction: Instruction) -> None:
        shell = arguments.listed(instruction.value)
        if not shell:
            raise InvalidArgument('SHELL requires the arguments to be in JSON form, such as ["/bin/sh", "-c"]')

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.shell = shell

        await self._note(f"SHELL [{' '.join(shell)}]", change)

    async def _maintainer(self, instruction: Instruction) -> None:
        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            config.author = instruction.value

        await self._note(f"MAINTAINER {instruction.value}", change)

    def _command(self, instruction: Instruction) -> list[str]:
        return arguments.command(instruction.value, self.image.execution.shell or _SHELL) if instruction.value else []

    # Instructions that alter files

    async def _working_directory(self, instruction: Instruction) -> None:
        """The directory is made where it is missing."""
        path = self._below_working_directory(self._expand(instruction.value))
        name = path.strip("/").encode("utf-8", "surrogateescape")

        def make(root: int) -> None:
            with copying.told("WORKDIR", name), trees.closing(copying.make_directory(root, name, copying.Attributes())):
                pass

        def change(config: oci.ImageConfig, execution: oci.ExecutionConfig) -> None:
            execution.working_dir = path

        self.image = await self._shop.advance(
            self.image,
            f"/bin/sh -c #(nop) WORKDIR {path}",
            change,
            lambda: self._shop.layering.change(self.image, make),
        )

    async def _run(self, instruction: Instruction) -> None:
        command, scripts = self._command_and_scripts(instruction)
        wanted = [
            mounts.read(self._expand(text), self.image.execution.working_dir) for text in instruction.repeated.get("mount", ())
        ]
        network = instruction.flags.get("network", "default")
        if network not in _NETWORKS:
            raise InvalidArgument(f"unsupported network mode {network[:40]!r}{nearest(network, _NETWORKS)}")
        present = self._environment()
        proxies = {name: value for name, value in self._build_args.items() if name in PROXIES}
        traced = {name: value for name, value in self._arguments.items() if name not in present}
        told = [f"{name}={value}" for name, value in sorted(traced.items())]
        created_by = " ".join([*([f"|{len(told)}", *told] if told else []), *command])
        environment = [f"{name}={value}" for name, value in ({**proxies, **traced}).items() if name not in present]
        step = Step(self._local(instruction), command, environment, network=network)

        async def produce() -> Layer | None:
            async with mounts.prepared(self._shop, wanted, scripts, self._shop.secrets) as ready:
                return await self._layer_of(replace(step, environment=environment + ready.environment, trees=ready.trees))

        content = await mounts.content_of(self._shop, wanted) + "".join(script.text for script in scripts)
        content += network if network != "default" else ""
        self.image = await self._shop.advance(self.image, created_by, produce=produce, content=content)

    def _command_and_scripts(self, instruction: Instruction) -> tuple[list[str], list[Document]]:
        """Of ``RUN <<EOF`` the document is the script; in any other command the shell reads its documents itself."""
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
            if ended.exit_code:
                raise StepFailed(step.command, ended.exit_code)
            layer = await self._shop.layering.layer(
                difference.layer(ended.upper, step.image.layers, ended.mount_points, self._shop.epoch)
            )
        self._shop.note(f" ---> Removed intermediate container {short}\n")
        return layer

    def _local(self, instruction: Instruction) -> LocalImage:
        return LocalImage(
            self.image.id, f"Dockerfile line {instruction.line}", self.image.config, self._shop.layering.stack(self.image)
        )

    async def _copy(self, instruction: Instruction) -> None:
        items = arguments.listed(instruction.value)
        markers = {document.marker for document in instruction.documents}
        given = instruction.value.split() if items is None else items
        words = [word if word in markers else self._expand(word) for word in given]
        name, flags = instruction.name, {key: self._expand(value) for key, value in instruction.flags.items()}
        if len(words) < 2:
            raise InvalidArgument(
                f"{name} requires at least two arguments, but only one was provided. Destination could not be determined."
            )
        *sources, destination = words
        mode = arguments.mode(flags["chmod"]) if "chmod" in flags else None
        origin = flags.get("from", "")
        brought = await self._bring(instruction, sources, flags)
        own = [source for source in sources if source not in brought.names]
        exclude = Ignore("\n".join(map(self._expand, instruction.repeated.get("exclude", ()))))
        keeps = flags.get("parents") == "true"
        async with self._shop.source(origin if own else "") as root:
            above = await in_thread(copying.parents, root, own, context=not origin) if keeps else {}
            paths = [*above] or await in_thread(copying.select, root, own, context=not origin)
            paths = [path for path in paths if not exclude.excludes(os.fsdecode(path))]
            archives = await in_thread(_archives, root, paths) if name == "ADD" else []
            plain = [path for path in paths if path not in archives]
            many = len(paths) + len(brought.paths) > 1
            target = self._destination(name, destination, many=many)
            digest = await in_thread(copying.digest, root, paths, exclude)
            if brought.paths:
                digest = hashlib.sha256((digest + await in_thread(brought.digest)).encode()).hexdigest()
            chown = flags.get("chown", "")

            def copy(target_root: int) -> None:
                owner = self._shop.steps.owner(target_root, chown) if chown else (0, 0)
                attributes = copying.Attributes(*owner, mode)
                for path in plain if keeps else ():
                    folder = b"/".join(part for part in (target.rstrip(b"/"), above[path], _own_name(root, path)) if part)
                    copying.copy(root, [path], target_root, folder + b"/", attributes, exclude)
                if plain and not keeps:
                    copying.copy(root, plain, target_root, target, attributes, exclude)
                brought.copy(target_root, target, attributes)
                for archive in archives:
                    _unpack(root, archive, target_root, target)

            shown = "".join(f"--{key}={flags[key]} " for key in ("chown", "chmod", "parents") if key in flags)
            kind = "multi" if many else "file"
            self.image = await self._shop.advance(
                self.image,
                f"/bin/sh -c #(nop) {name} {shown}{kind}:{digest} in {os.fsdecode(target)} ",
                produce=lambda: self._shop.layering.change(self.image, copy),
                content=digest,
            )

    async def _bring(self, instruction: Instruction, sources: list[str], flags: dict[str, str]) -> Brought:
        """What does not lie in a tree yet: here-documents, and what ADD fetches from elsewhere."""
        brought = Brought(self._shop.scratch)
        for document in instruction.documents:
            text = document.text
            if document.expands:
                text = shell_words.expand_text(text, {**self._arguments, **self._environment()}, self._shop.escape)
            brought.write(document.marker, document.name, text.encode("utf-8", "surrogateescape"))
        checksum = flags.get("checksum", "")
        urls = [source for source in sources if instruction.name == "ADD" and source.lower().startswith(_URLS)]
        if checksum and len(urls) != 1:
            raise InvalidArgument("checksum can't be specified for anything but one HTTP source")
        for url in urls:
            if not url.lower().startswith(("http://", "https://")) or url.endswith(".git"):
                raise NotImplementedYet(f"ADD from a repository ({url[:80]})")
            await brought.fetch(url, checksum, to_folder=instruction.value.endswith("/"))
        return brought

    def _destination(self, name: str, text: str, *, many: bool) -> bytes:
        folder = text.endswith("/") or posixpath.basename(text) in (".", "..")
        if many and not folder:
            raise InvalidArgument(
                f"When using {name} with more than one source file, the destination must be a directory and end with a /"
            )
        path = self._below_working_directory(text)
        return os.fsencode(path + "/" if folder and path != "/" else path)

    def _below_working_directory(self, path: str) -> str:
        joined = posixpath.normpath(posixpath.join("/", self.image.execution.working_dir, path))
        return "/" + joined.lstrip("/")


def _quoted(command: list[str]) -> str:
    return f"[{' '.join(json.dumps(word, ensure_ascii=False) for word in command)}]"


def _own_name(root: int, path: bytes) -> bytes:
    """A directory is copied with its name where the folders above it are kept; nothing for a file."""
    with trees.closing(open_in_root(root, path or b".", os.O_PATH)) as found:
        return path.rpartition(b"/")[2] if stat.S_ISDIR(os.fstat(found).st_mode) else b""


def _archives(root: int, paths: list[bytes]) -> list[bytes]:
    """Those that ADD unpacks rather than copy."""
    found = []
    for path in paths:
        with suppress(IsADirectoryError), _opened(root, path) as file:
            if _is_archive(file.read(1 << 20)):
                found.append(path)
    return found


def _opened(root: int, path: bytes) -> BinaryIO:
    return os.fdopen(open_in_root(root, path or b".", os.O_RDONLY | os.O_NONBLOCK), "rb")


def _unpack(root: int, archive: bytes, target_root: int, target: bytes) -> None:
    """Into the directory that the target names. Raises ``InvalidArgument`` for an archive that would reach outside."""
    with (
        copying.told("ADD", target),
        trees.closing(copying.make_directory(target_root, target, copying.Attributes())) as folder,
        _opened(root, archive) as file,
    ):
        apply(decompress(iter(lambda: file.read(1 << 20), b"")), folder)


def _is_archive(head: bytes) -> bool:
    """Whether the beginning of a file is that of a tar, compressed or not."""
    if head.startswith(_PACKED):
        return True
    try:
        return next(iter(tar.Reader(decompress([head]))), None) is not None
    except InvalidArgument:
        return False
