"""A command in a graph of operations (ExecOp): its mounts, of which one is the root, and what is written to them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import msgspec

from moby_tui.engine.resources.builder import entitlements
from moby_tui.engine.resources.builder.execution import difference, mounts
from moby_tui.engine.resources.builder.execution.mounts import RunMount
from moby_tui.engine.resources.builder.graph.outputs import Output, Outputs
from moby_tui.engine.resources.builder.graph.workshop import Workshop, unchanged
from moby_tui.engine.resources.builder.image import DEFAULT_PATH, BuiltImage, Layer
from moby_tui.engine.resources.builder.step import Step, StepFailed
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images import wire
from moby_tui.engine.resources.images.manager import LocalImage
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode
from moby_tui.schema.container import HostConfig, Ulimit
from moby_tui.schema.operations import NONE, Execution, Mount, SecretVariable

_AGENT = "SSH_AUTH_SOCK="
_NOTHING: Mapping[str, int] = MappingProxyType({})


class Command:
    def __init__(self, shop: Workshop, asked: Execution, outputs: Outputs) -> None:
        """Raises ``InvalidArgument``, and ``Forbidden`` for what the caller does not allow."""
        self._shop = shop
        self._asked = asked
        self._outputs = outputs
        self._mounts = {posixpath.normpath(f"/{mount.target}").replace("//", "/"): mount for mount in asked.mounts}
        if len(self._mounts) != len(asked.mounts):
            raise InvalidArgument("a graph's command has two mounts at one place")
        root = self._mounts.pop("/", None)
        if root is None or root.kind != "bind":
            raise InvalidArgument("a graph's command has no mount at /, in which it could run")
        if root.selector.strip("/"):
            raise InvalidArgument(
                "a graph's command runs in a part of a tree (a selector of the mount at /); copy that part first"
            )
        self._root = root
        for target in self._mounts:
            if target.split("/")[1] in ("proc", "sys"):
                raise InvalidArgument(f"invalid mount target {target[:200]!r}")
        if asked.network == "host":
            entitlements.require(shop.allowed, entitlements.HOST_NETWORK, "a command in the host's network")
        if asked.insecure:
            entitlements.require(shop.allowed, entitlements.INSECURE, "a privileged command")

    async def run(self) -> dict[int, Output]:
        """The operation's outputs, by their numbers. Raises ``StepFailed``, and what a start raises."""
        everything = [self._root, *self._mounts.values()]
        outputs = {mount.output: self._outputs.at(mount.input) for mount in everything if mount.output != NONE}
        written = {mount.output: mount for mount in everything if self._is_kept(mount)}
        below = {number: await self._outputs.image(self._outputs.at(mount.input)) for number, mount in written.items()}
        content = await self._content()
        shown = " ".join(self._asked.command)
        keys = {number: self._shop.cache.key(image.key, f"{number} {shown}", content) for number, image in sorted(below.items())}
        made = {} if self._shop.anew else {number: await self._shop.cache.find(key) for number, key in keys.items()}
        if made and all(made.values()):
            self._shop.report.cached()
            images = {number: msgspec.structs.replace(image, chain=keys[number]) for number, image in made.items() if image}
        else:
            layers = await self._carry_out(below)
            images = {}
            for number, image in below.items():
                made_of = image.followed_by(shown, layers.get(number), unchanged, chain=keys[number])
                self._shop.cache.put(keys[number], made_of, image.key)
                images[number] = made_of
        return outputs | {number: Output(image=image) for number, image in images.items()}

    def _is_kept(self, mount: Mount) -> bool:
        return mount.kind == "bind" and mount.output != NONE and not mount.readonly

    async def _content(self) -> str:
        """The digest of the command and of what it reads."""
        request = msgspec.structs.replace(self._asked, proxies={})
        digests = [encode(request), platforms.text(self._outputs.platform).encode()]
        for mount in (self._root, *self._mounts.values()):
            output = self._outputs.at(mount.input)
            digests.append((await self._outputs.digest(output, _selected(mount))).encode())
        return digest_of(b"\0".join(digests))

    async def _carry_out(self, below: dict[int, BuiltImage]) -> dict[int, Layer]:
        """The layers of what was written, by the numbers of the outputs."""
        root = await self._outputs.image(self._outputs.at(self._root.input))
        layers = dict[int, Layer | None]()
        uppers = dict[int, Path]()
        async with AsyncExitStack() as stack:
            step = await self.step(stack, uppers)
            async with replace(self._shop, host=step.host).run(step, began=lambda _: None) as ended:
                if ended.exit_code not in self._asked.succeeds:
                    raise StepFailed(step.command, ended.exit_code)
                if self._is_kept(self._root):
                    layers[self._root.output] = await self._layer(ended.upper, root, ended.mount_points)
            for number, upper in uppers.items():
                layers[number] = await self._layer(upper, below[number])
        return {number: layer for number, layer in layers.items() if layer is not None}

    async def step(self, stack: AsyncExitStack, uppers: dict[int, Path], given: Mapping[str, int] = _NOTHING) -> Step:
        """The command as it is run, with its mounts, which last as long as ``stack``, and ``given``; ``uppers`` gets the folders of what
        is kept."""
        trees, environment = await self._mounted(stack, uppers)
        return Step(
            self._image(await self._outputs.image(self._outputs.at(self._root.input))),
            self._asked.command,
            [*(f"{name}={value}" for name, value in self._asked.proxies.items()), *environment],
            trees={**trees, **given},
            network=self._asked.network,
            insecure=self._asked.insecure,
            hostname=self._asked.hostname,
            host=self._host(),
        )

    def _host(self) -> HostConfig:
        request = self._asked
        return msgspec.structs.replace(
            self._shop.host,
            extra_hosts=[*(self._shop.host.extra_hosts or ()), *request.hosts] or None,
            ulimits=[
                *(self._shop.host.ulimits or ()),
                *(Ulimit(name=name, soft=soft, hard=hard) for name, soft, hard in request.limits),
            ]
            or None,
            cgroup_parent=request.cgroup_parent or self._shop.host.cgroup_parent,
            readonly_rootfs=self._root.readonly,
        )

    async def _layer(self, upper: Path, below: BuiltImage, left_out: frozenset[bytes] = frozenset()) -> Layer | None:
        stack = self._shop.layering.stack(below)
        return await self._shop.layering.layer(difference.layer(upper, stack, left_out, self._shop.epoch))

    def _image(self, root: BuiltImage) -> LocalImage:
        """The root's layers, with the command's own environment, user and working directory."""
        config = decode(encode(root.config), oci.ImageConfig)
        names = {entry.partition("=")[0] for entry in self._asked.environment}
        config.config = oci.ExecutionConfig(
            env=[*([] if "PATH" in names else [DEFAULT_PATH]), *self._asked.environment],
            working_dir=posixpath.normpath(posixpath.join("/", self._asked.working_directory)),
            user=self._asked.user,
        )
        return LocalImage(
            digest_of(encode(config)), "a graph of operations", wire.config_to_keep(config), self._shop.layering.stack(root)
        )

    async def _mounted(self, stack: AsyncExitStack, uppers: dict[int, Path]) -> tuple[dict[str, int], list[str]]:
        """The tree of each mount, by its place, and variables; ``uppers`` gets the folders of what is kept."""
        given = [
            RunMount(mount.kind, {**mount.options, "target": target})
            for target, mount in self._mounts.items()
            if mount.kind in ("tmpfs", "secret", "ssh") or (mount.kind == "cache" and mount.input == NONE)
        ]
        prepared = await stack.enter_async_context(mounts.prepared(self._shop, given, []))
        trees = dict(prepared.trees)
        for target, mount in self._mounts.items():
            if mount.kind not in ("bind", "cache") or target in trees:
                continue
            root = await stack.enter_async_context(self._outputs.root(self._outputs.at(mount.input)))
            run_mount = RunMount(mount.kind, {**mount.options, "target": target, "source": mount.selector})
            with mounts.naming_what_is_missing(run_mount):
                trees[target] = await self._tree(stack, root, mount, run_mount, uppers)
            stack.callback(os.close, trees[target])
        environment = [each for each in prepared.environment if not each.startswith(_AGENT)]
        return trees, environment + await secret_variables(self._shop, self._asked.secrets)

    async def _tree(self, stack: AsyncExitStack, root: int, mount: Mount, asked: RunMount, uppers: dict[int, Path]) -> int:
        if mount.kind == "cache":
            held, tree = await in_thread(mounts.cache_folder, self._shop.caches, asked, root)
            stack.callback(held.close)
            return tree
        if mount.readonly:
            return await in_thread(mounts.bind, root, _selected(mount))
        folder = self._shop.scratch / f"written-{os.urandom(8).hex()}"
        if self._is_kept(mount):
            uppers[mount.output] = folder / "upper"
        return await in_thread(mounts.writable, root, _selected(mount), folder)


async def secret_variables(shop: Workshop, wanted: list[SecretVariable]) -> list[str]:
    """Raises ``NotFound`` for a secret that the caller does not have."""
    values = []
    for each in wanted:
        secret = await shop.supplies.secret(each.ident)
        if secret is not None:
            values.append(f"{each.name}={secret.decode('utf-8', 'surrogateescape')}")
        elif not each.optional:
            raise NotFound(f"secret {each.ident}: not found; give it with --secret id={each.ident}")
    return values


def _selected(mount: Mount) -> bytes:
    return os.fsencode(mount.selector.strip("/"))
