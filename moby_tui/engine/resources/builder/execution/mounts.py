"""``RUN --mount``: mounts that exist only while a command runs, and are not part of the layer.

https://docs.docker.com/reference/dockerfile/#run---mount. Each mount is made before the container and passed to its monitor as a descriptor.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import posixpath
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.kernel import overlay, trees
from moby_tui.engine.kernel.namespaces import subtree
from moby_tui.engine.kernel.network.netns import on_own_thread
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder.execution import agents, copying, naming, selection
from moby_tui.engine.resources.builder.llb import operations
from moby_tui.engine.resources.builder.llb.vertices import Unknown
from moby_tui.engine.resources.dockerfile.parser import Document, nearest
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from moby_tui.engine.resources.builder.graph.workshop import Workshop

#: The folder of scripts of here-documents, as in BuildKit.
SCRIPTS = "/dev/pipes"
#: The path of agents' sockets, as in BuildKit; a number follows.
_AGENT = "/run/buildkit/ssh_agent."
_KINDS = {
    "bind": {"from", "source", "target", "rw", "env"},
    "cache": {"id", "target", "sharing", "mode", "uid", "gid", "rw", "from", "source", "env"},
    "tmpfs": {"target", "size", "rw", "env"},
    "secret": {"id", "target", "source", "required", "mode", "uid", "gid", "env"},
    "ssh": {"id", "target", "required", "mode", "uid", "gid", "env"},
}
#: Keys that BuildKit refuses in words of their own in a mount of another kind.
_OF_OTHERS = ("mode", "uid", "gid", "required", "sharing")
_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "readwrite": "rw"}
_BOOLEAN = {"readonly", "required", "rw"}
_SWITCH = {"true": "true", "1": "true", "t": "true", "false": "false", "0": "false", "f": "false"}
_SHARING = ("shared", "private", "locked")
#: The bases of numbers, and the greatest.
_NUMBERS = {"mode": 8, "uid": 10, "gid": 10}
_GREATEST = 2**32 - 1
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


#: Options of a cache mount with which its folder is made.
_MADE_WITH = ("uid", "gid", "mode")
#: The beginning of the names of folders of a cache mount that another has taken the place of.
OLD = "old-"


@dataclass(frozen=True)
class RunMount:
    """The value of one ``--mount``."""

    kind: str
    options: dict[str, str]

    @property
    def target(self) -> str:
        return self.options.get("target", "")

    @property
    def source(self) -> bytes:
        return os.fsencode(self.options.get("source", "").strip("/"))

    def flag(self, name: str, default: str = "false") -> bool:
        return self.options.get(name, default) == "true"

    def number(self, name: str, default: int) -> int:
        return int(self.options[name], _NUMBERS[name]) if name in self.options else default


def read(text: str, working_dir: str | None) -> RunMount:
    """``type=cache,target=/root/.cache``; without ``working_dir`` a relative target is not resolved. Raises ``InvalidArgument``."""
    options: dict[str, str] = {}
    for entry in text.split(","):
        name, equals, value = entry.partition("=")
        name = _ALIASES.get(name.lower(), name.lower())
        if not equals and name not in _BOOLEAN:
            raise InvalidArgument(f"invalid field '{entry[:40]}' must be a key=value pair")
        options[name] = value if equals else "true"
        if name in _BOOLEAN:
            if options[name].lower() not in _SWITCH:
                raise InvalidArgument(f"invalid value for {entry.partition('=')[0][:40]}: {value[:40]}; it is true or false")
            options[name] = _SWITCH[options[name].lower()]
        if name in _NUMBERS:
            _check_number(name, value)
        if name == "readonly":
            options["rw"] = "false" if options.pop(name) == "true" else "true"
    kind = options.pop("type", "bind")
    if kind not in _KINDS:
        raise InvalidArgument(f'unsupported mount type "{kind[:40]}"{nearest(kind, list(_KINDS))}')
    every = set().union(*_KINDS.values())
    for name, value in options.items():
        if name not in every:
            raise InvalidArgument(f"unexpected key '{name[:40]}' in '{name[:40]}={value[:40]}'{nearest(name, sorted(every))}")
        if name in _OF_OTHERS and name not in _KINDS[kind]:
            raise InvalidArgument(f'{name} not allowed for "{kind}" type mounts')
        if name not in _KINDS[kind]:
            raise InvalidArgument(f"unexpected key '{name}' for mount type '{kind}'")
    mount = RunMount(kind, _completed(kind, options, working_dir))
    _size(mount)
    return mount


def _check_number(name: str, text: str) -> None:
    """Raises ``InvalidArgument``. It comes before the cache is asked: a step that is wrong is none that was made already."""
    digits = "01234567" if _NUMBERS[name] == 8 else "0123456789"
    if not text or text.strip(digits) or int(text, _NUMBERS[name]) > _GREATEST:
        raise InvalidArgument(f"invalid value {text[:40]} for {name}")


def _completed(kind: str, options: dict[str, str], working_dir: str | None) -> dict[str, str]:
    if kind == "secret":
        ident = options.pop("source", "") or options.get("id") or posixpath.basename(options.get("target", ""))
        if not ident:
            raise InvalidArgument("invalid secret mount. one of source, target required")
        options = {**options, "id": ident}
        if "target" not in options and "env" not in options:
            options["target"] = f"/run/secrets/{ident}"
    elif kind != "ssh" and not options.get("target"):
        raise InvalidArgument('invalid mount target "/"; name another with target=')
    if options.get("sharing", "shared") not in _SHARING:
        raise InvalidArgument(f'unsupported sharing value "{options["sharing"][:40]}"; it is {", ".join(_SHARING)}')
    target = options.get("target")
    if target and (working_dir is not None or target.startswith("/")):
        options["target"] = posixpath.normpath(posixpath.join("/", working_dir or "", target))
        if options["target"] == "/" or options["target"].split("/")[1] in ("proc", "sys"):
            raise InvalidArgument(f'invalid mount target "{options["target"][:200]}"')
    return options


@dataclass(frozen=True)
class Prepared:
    """The mounts of a step: a tree for each destination, and variables. ``content`` is their part of the cache's key."""

    trees: dict[str, int]
    environment: list[str]


async def content_of(shop: Workshop, wanted: list[RunMount]) -> str:
    """The mounts' part of the cache's key: their options, and the files of binds. The content of caches and secrets does not count."""
    total = hashlib.sha256()
    for mount in wanted:
        total.update(repr((mount.kind, sorted(mount.options.items()))).encode())
        if mount.kind == "bind":
            origin = mount.options.get("from", "")
            async with shop.source(origin) as root:
                compute = partial(selection.digest, root, [mount.source])
                with naming_what_is_missing(mount):
                    total.update((await in_thread((await shop.digests(origin)).of, [mount.source], (), compute)).encode())
    return total.hexdigest() if wanted else ""


@contextmanager
def naming_what_is_missing(mount: RunMount) -> Iterator[None]:
    """The error for a missing file names the path in the Dockerfile."""
    try:
        yield
    except OSError as error:
        name, reason = mount.options.get("source", "/")[:200], (error.strerror or "").lower()
        raise InvalidArgument(f"failed to find {name!r} to mount: {reason}") from error


async def named(shop: Workshop, wanted: list[RunMount], scripts: list[Document]) -> list[operations.Mount]:
    """The mounts as BuildKit has them. Raises ``Unknown``."""
    mounts: list[operations.Mount] = []
    for script in scripts:
        vertex = operations.document(script.name, script.text.encode("utf-8", "surrogateescape"), 0o755)
        mounts.append(operations.Bind(f"{SCRIPTS}/", operations.Source(["/"], names=(vertex,)), f"script {script.name}"))
    for mount in wanted:
        if mount.kind == "bind":
            origin = mount.options.get("from", "")
            path = os.fsdecode(b"/" + mount.source) if mount.source else "/"
            source = await naming.source(shop, origin, [posixpath.normpath(path)])
            mounts.append(operations.Bind(mount.target, source, f"from {origin}", is_writable=mount.flag("rw")))
        elif mount.kind == "cache":
            if not mount.options.keys() <= {"target", "id", "sharing"}:
                raise Unknown("a mount of kind cache has a source, an owner or a mode")
            ident, sharing = mount.options.get("id", mount.target), mount.options.get("sharing", "shared")
            mounts.append(operations.Cache(mount.target, ident, sharing))
        elif mount.kind == "tmpfs":
            mounts.append(operations.Temporary(mount.target, _size(mount)))
        else:
            is_agent = mount.kind == "ssh"
            mounts.append(
                operations.Given(
                    ident=mount.options.get("id", ""),
                    target=mount.target,
                    mode=mount.number("mode", 0o600 if is_agent else 0o400),
                    uid=mount.number("uid", 0),
                    gid=mount.number("gid", 0),
                    is_optional=not mount.flag("required"),
                    is_agent=is_agent,
                    name=mount.options.get("env", ""),
                )
            )
    return mounts


@asynccontextmanager
async def prepared(shop: Workshop, wanted: list[RunMount], scripts: list[Document]) -> AsyncIterator[Prepared]:
    """Makes the mounts, for the block. Raises ``InvalidArgument``, and ``NotFound`` for a missing secret or agent that is required."""
    result = Prepared({}, [])
    async with AsyncExitStack() as stack:
        for mount in wanted:
            if mount.kind == "bind":
                root = await stack.enter_async_context(shop.source(mount.options.get("from", "")))
                with naming_what_is_missing(mount):
                    if mount.flag("rw"):
                        tree = await in_thread(writable, root, mount.source, shop.scratch / f"written-{os.urandom(8).hex()}")
                    else:
                        tree = await in_thread(bind, root, mount.source)
                result.trees[mount.target] = _closing(stack, tree)
            elif mount.kind == "cache":
                held, tree = await _cache(shop, mount)
                stack.callback(held.close)
                result.trees[mount.target] = _closing(stack, tree)
            elif mount.kind == "ssh":
                await _add_agent(stack, shop, mount, result)
            elif mount.kind == "tmpfs":
                result.trees[mount.target] = _closing(stack, _tmpfs(mount))
            else:
                await _add_secret(stack, shop, mount, result)
        for script in scripts:
            tree = _file(stack, shop.private, script.text.encode("utf-8", "surrogateescape"), 0o755, 0, 0)
            result.trees[f"{SCRIPTS}/{script.name}"] = _closing(stack, tree)
        yield result


def _closing(stack: AsyncExitStack, tree: int) -> int:
    stack.callback(os.close, tree)
    return tree


async def _add_secret(stack: AsyncExitStack, shop: Workshop, mount: RunMount, result: Prepared) -> None:
    ident = mount.options["id"]
    secret = await shop.supplies.secret(ident)
    if secret is None:
        if mount.flag("required"):
            raise NotFound(f"secret {ident}: not found; give it with --secret id={ident}")
        return
    if name := mount.options.get("env"):
        result.environment.append(f"{name}={secret.decode('utf-8', 'surrogateescape')}")
    if mount.target:
        owner = mount.number("uid", 0), mount.number("gid", 0)
        tree = _file(stack, shop.private, secret, mount.number("mode", 0o400), *owner)
        result.trees[mount.target] = _closing(stack, tree)


async def _add_agent(stack: AsyncExitStack, shop: Workshop, mount: RunMount, result: Prepared) -> None:
    ident = mount.options.get("id", "default")
    agent = await stack.enter_async_context(shop.supplies.agent(ident))
    if not agent:
        if mount.flag("required"):
            raise NotFound(f"ssh agent {ident}: not found; forward it with --ssh {ident}")
        return
    owner = mount.number("uid", 0), mount.number("gid", 0)
    socket = await stack.enter_async_context(agents.forwarded(agent, shop.private, mount.number("mode", 0o600), owner))
    others = sum(target.startswith(_AGENT) for target in result.trees)
    target = mount.target or f"{_AGENT}{others}"
    result.trees[target] = _closing(
        stack, mounts.open_tree(mounts.AT_FDCWD, str(socket), mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC)
    )
    if not any(entry.startswith("SSH_AUTH_SOCK=") for entry in result.environment):
        result.environment.append(f"SSH_AUTH_SOCK={target}")


def _file(stack: AsyncExitStack, folder: Path, data: bytes, mode: int, uid: int, gid: int) -> int:
    """A mount of a file that is deleted with the step."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / os.urandom(8).hex()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    stack.callback(path.unlink)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
        return _read_only(mounts.open_tree(mounts.AT_FDCWD, str(path), mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC))
    finally:
        os.close(fd)


def _read_only(tree: int) -> int:
    mounts.mount_setattr(tree, set=mounts.MOUNT_ATTR_RDONLY)
    return tree


def bind(root: int, path: bytes) -> int:
    """A mount of a path of the context or of an image, resolved inside its root."""
    descriptor = open_in_root(root, path or b".", os.O_PATH)
    try:
        try:
            tree = mounts.open_tree(descriptor, "", mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH)
        except OSError:
            # an image's root is mounted nowhere
            tree = on_own_thread(lambda: subtree(root, descriptor))
        return _read_only(tree)
    finally:
        os.close(descriptor)


def writable(root: int, path: bytes, folder: Path) -> int:
    """As ``bind``, but writable: changes go to ``upper`` in this folder of the build, which is made. Blocking."""
    upper, work = folder / "upper", folder / "work"
    for made in (folder, upper, work):
        made.mkdir()
    status = os.fstat(root)
    os.chown(upper, status.st_uid, status.st_gid)
    upper.chmod(stat.S_IMODE(status.st_mode))
    try:
        lower = mounts.open_tree(root, "", mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC | mounts.AT_EMPTY_PATH)
    except OSError:
        # an image's root is mounted nowhere
        lower = os.dup(root)
    try:
        return on_own_thread(lambda: overlay.subtree_over(lower, path, (os.fspath(upper), os.fspath(work))))
    finally:
        os.close(lower)


async def _cache(shop: Workshop, mount: RunMount) -> tuple[ExitStack, int]:
    """A folder that stays after the build, locked according to ``sharing``. A new one is filled from ``from`` and ``source``."""
    if "from" not in mount.options:
        is_made = any(name in mount.options for name in _MADE_WITH)
        return await in_thread(cache_folder, shop.caches, mount, None, shop.scratch.name if shop.anew and is_made else "")
    async with shop.source(mount.options["from"]) as root:
        with naming_what_is_missing(mount):
            return await in_thread(cache_folder, shop.caches, mount, root)


def cache_folder(folder: Path, mount: RunMount, base: int | None, anew: str = "") -> tuple[ExitStack, int]:
    """Opens and locks the folder. Blocking: with ``sharing=locked`` waits for other builds.

    ``anew`` names the build if it begins with a new folder: without the cache BuildKit makes one with an owner or a mode again.
    """
    ident = mount.options.get("id") or mount.target
    if base is not None:
        ident += "\0" + selection.digest(base, [mount.source])
    if any(name in mount.options for name in _MADE_WITH):
        # one that is made with an owner or a mode is a cache of its own
        ident += f"\0{mount.number('uid', 0)}:{mount.number('gid', 0)}:{mount.number('mode', 0o755):o}"
    sharing = mount.options.get("sharing", "shared")
    name = hashlib.sha256(ident.encode("utf-8", "surrogateescape")).hexdigest()
    held = ExitStack()
    number = 0
    while True:
        place = folder / (name if number == 0 else f"{name}-{number}")
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            how = fcntl.LOCK_SH if sharing == "shared" else fcntl.LOCK_EX
            fcntl.flock(lock, how | (fcntl.LOCK_NB if sharing == "private" else 0))
        except BlockingIOError:
            os.close(lock)
            number += 1
            continue
        held.callback(os.close, lock)
        break
    content = place / "content"
    try:
        _fill(content, mount, base, anew)
        tree = mounts.open_tree(mounts.AT_FDCWD, str(content), mounts.OPEN_TREE_CLONE | mounts.OPEN_TREE_CLOEXEC)
    except BaseException:
        held.close()
        raise
    return held, tree if mount.flag("rw", "true") else _read_only(tree)


def _set_aside(content: Path, build: str) -> None:
    """Renames the folder, which other builds may be using, once for a build. It is deleted with the cache mount."""
    begun = content.with_name("begun")
    if begun.exists() and begun.read_text() == build:
        return
    if content.exists():
        content.rename(content.with_name(f"{OLD}{os.urandom(8).hex()}"))
    begun.write_text(build)


def _fill(content: Path, mount: RunMount, base: int | None, anew: str) -> None:
    """Fills a new folder, which gets its name when it is complete, unless there is one.

    Of two steps at the same time, one waits: rename(2) puts a folder in the place of an empty one, which the other may use already.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with trees.closing(os.open(content.parent, flags)) as place:
        fcntl.flock(place, fcntl.LOCK_EX)
        if anew:
            _set_aside(content, anew)
        if content.exists():
            return
        new = content.with_name(f"new-{os.urandom(8).hex()}")
        new.mkdir()
        try:
            if base is not None:
                with trees.closing(os.open(new, flags)) as target:
                    copying.copy(base, [mount.source], target, b"/", copying.Attributes())
            os.chown(new, mount.number("uid", 0), mount.number("gid", 0))
            new.chmod(mount.number("mode", 0o755))
            new.rename(content)
        except BaseException:
            trees.remove(new)
            raise


def _size(mount: RunMount) -> int:
    """The size of a tmpfs in bytes; 0 if none is given. Raises ``InvalidArgument``."""
    text = mount.options.get("size", "").lower()
    number, unit = text.rstrip("bkmg"), text[len(text.rstrip("bkmg")) :]
    if text and (not number.isdecimal() or unit.removesuffix("b") not in _UNITS):
        raise InvalidArgument(f"invalid value for size: {text[:40]}")
    return int(number) * _UNITS[unit.removesuffix("b")] if text else 0


def _tmpfs(mount: RunMount) -> int:
    size = _size(mount)
    context = mounts.fsopen("tmpfs")
    try:
        if "size" in mount.options:
            mounts.fsconfig_string(context, "size", str(size))
        mounts.fsconfig_create(context)
        return mounts.fsmount(context, attributes=mounts.MOUNT_ATTR_NOSUID | mounts.MOUNT_ATTR_NODEV)
    finally:
        os.close(context)
