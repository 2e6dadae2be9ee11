"""A change of files in a graph of operations (FileOp): actions, each on an input or on what another action has made.

The actions that lead to one output make one layer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder.execution import changing, copying, selection
from moby_tui.engine.resources.builder.execution.transfer import Archives, archives_in
from moby_tui.engine.resources.builder.graph.outputs import Output, Outputs
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.dockerfile import modes
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import encode
from moby_tui.schema.operations import NONE, Action, Copy, Files, MakeDirectory, MakeFile, MakeLink, Owner, Remove

#: Numeric ids that a file may have: the highest means "leave as it is" (chown(2)).
_MOST_ID = (1 << 32) - 2


@dataclass(frozen=True)
class _Step:
    """An action that is ready: ``content`` is the digest of the files that it takes. ``work`` is blocking."""

    work: Callable[[int], None]
    content: str = ""
    unpacks: bool = False


class Changes:
    def __init__(self, shop: Workshop, files: Files, outputs: Outputs, name: str) -> None:
        self._shop = shop
        self._actions = files.actions
        self._outputs = outputs
        self._name = name
        #: by number of the action
        self._made: dict[int, Output] = {}

    async def run(self) -> dict[int, Output]:
        """The operation's outputs, by their numbers. Raises ``InvalidArgument``."""
        return {action.output: await self._after(number) for number, action in enumerate(self._actions) if action.output != NONE}

    async def _at(self, place: int) -> Output:
        count = len(self._outputs.inputs)
        return await self._after(place - count) if place >= count else self._outputs.at(place)

    async def _after(self, number: int) -> Output:
        """What an action has made, and those before it on the same tree."""
        if number not in self._made:
            self._made[number] = await self._layered(self._leading_to(number))
        return self._made[number]

    def _leading_to(self, number: int) -> list[int]:
        """Actions on one tree, the first on an input of the operation."""
        count, chain = len(self._outputs.inputs), [number]
        while (place := self._actions[chain[0]].input) >= count:
            chain.insert(0, place - count)
        return chain

    async def _layered(self, chain: list[int]) -> Output:
        count = len(self._outputs.inputs)
        first = self._actions[chain[0]].input
        below = await self._outputs.image(self._outputs.at(first))
        own = {first, *(number + count for number in chain)}
        async with AsyncExitStack() as stack:
            steps = [await self._ready(stack, self._actions[number], own) for number in chain]
            changes = [encode(self._actions[number].change) for number in chain]
            content = digest_of(b"\0".join((*changes, *(step.content.encode() for step in steps))))

            def work(root: int) -> None:
                for step in steps:
                    step.work(root)

            unpacks = any(step.unpacks for step in steps)
            return Output(
                image=await self._shop.advance(
                    below,
                    self._name,
                    produce=lambda: self._shop.layering.change(below, work, unpacks=unpacks),
                    content=content,
                )
            )

    async def _ready(self, stack: AsyncExitStack, action: Action, own: set[int]) -> _Step:
        """``own`` are the places of the tree that is changed, whose users it knows itself."""
        change = action.change
        if isinstance(change, Remove):
            return _Step(lambda root: changing.remove(root, change))
        owner, known = await self._owner(stack, change.owner, own)
        match change:
            case MakeDirectory():
                return _Step(lambda root: changing.make_directory(root, change, owner(root)), known)
            case MakeFile():
                return _Step(lambda root: changing.make_file(root, change, owner(root)), known)
            case MakeLink():
                return _Step(lambda root: changing.make_link(root, change, owner(root)), known)
            case Copy():
                return await self._copy(stack, change, await self._at(action.source), owner, known)

    async def _copy(
        self, stack: AsyncExitStack, change: Copy, taken: Output, owner: Callable[[int], changing.Owner], known: str
    ) -> _Step:
        source = await stack.enter_async_context(self._outputs.root(taken))
        target = changing.cleaned(change.target)
        paths = await in_thread(_paths, source, change)
        chosen = [await in_thread(selection.Chosen, source, path, change.include, change.exclude) for path in paths]
        archives = await in_thread(archives_in, source, paths) if change.unpacks else []
        mode = modes.read(change.mode) if change.mode else None
        content = [known]
        for path, each in zip(paths, chosen, strict=True):
            content.append(await in_thread(lambda path=path, each=each: selection.digest(source, [path], each, owners=True)))  # type: ignore[misc]

        def work(root: int) -> None:
            ids = owner(root)
            attributes = copying.Attributes(*(ids or (0, 0)), mode, change.time, keeps_owner=ids is None)
            placing = copying.Placing(attributes, change.follow_link, change.contents, change.replaces)
            if not change.makes_parents:
                _require_parent(root, target)
            for path, each in zip(paths, chosen, strict=True):
                if path in archives:
                    Archives(source, [path]).copy(root, target, attributes)
                else:
                    placing.place(source, path, root, target, each)

        return _Step(work, hashlib.sha256("\0".join(content).encode()).hexdigest(), bool(archives))

    async def _owner(
        self, stack: AsyncExitStack, owner: Owner | None, own: set[int]
    ) -> tuple[Callable[[int], changing.Owner], str]:
        """What gives the ids in the tree that is changed, and what is known by its content of others whose users are named.

        As with BuildKit, a user without a group has that of its line in the list of users, and one that the list lacks is root.
        """
        user, group = (owner.user, owner.group) if owner else (None, None)
        others, known = dict[int, int](), list[str]()
        for who in (user, group):
            if who is None or who.ident is not None:
                continue
            if who.input == NONE:
                raise InvalidArgument(
                    f"the owner {who.name[:80]!r} has a name, which an empty tree does not know; give its number"
                )
            if who.input not in own:
                other = await self._at(who.input)
                others[who.input] = await stack.enter_async_context(self._outputs.root(other))
                known.append(await self._outputs.digest(other))

        def ids(root: int) -> changing.Owner:
            if owner is None:
                return None
            uid, gid = 0, 0
            if user is not None and user.ident is not None:
                uid = gid = user.ident
            elif user is not None:
                uid, gid = self._known(others.get(user.input, root), user.name)
            if group is not None:
                gid = group.ident if group.ident is not None else self._known(others.get(group.input, root), f":{group.name}")[1]
            if max(uid, gid) > _MOST_ID:
                raise InvalidArgument(f"the owner {uid}:{gid} is nobody's number")
            return uid, gid

        return ids, "\0".join(known)

    def _known(self, root: int, text: str) -> tuple[int, int]:
        try:
            return self._shop.steps.owner(root, text)
        except InvalidArgument:
            return 0, 0


def _paths(source: int, change: Copy) -> list[bytes]:
    """Raises ``InvalidArgument`` for a source that is missing."""
    path = os.fsdecode(changing.cleaned(change.source).strip(b"/"))
    if not change.wildcard:
        return selection.existing(source, path, follow=change.follow_link)
    paths = selection.matches(source, path)
    if not paths and not change.may_lack:
        raise InvalidArgument(f"copy failed: {change.source[:200]} not found")
    return paths


def _require_parent(root: int, target: bytes) -> None:
    above = target.rstrip(b"/").rpartition(b"/")[0]
    with copying.explained("copy", target):
        os.close(open_in_root(root, above or b".", os.O_PATH))
