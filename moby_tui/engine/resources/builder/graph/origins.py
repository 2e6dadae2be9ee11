"""The sources of a graph of operations (SourceOp): images, folders of the caller, repositories, files behind http, OCI layouts.

Attributes are BuildKit's (solver/pb/attr.go); one that would change what is made and is not known is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.resources.builder import git
from moby_tui.engine.resources.builder.execution.new_files import NewFiles
from moby_tui.engine.resources.builder.graph.outputs import Output, stripped
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.sources import named
from moby_tui.engine.resources.builder.sources.context import Sources
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.resources.images.transfer.load import Loader
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.reference import is_digest, parse
from moby_tui.schema import oci
from moby_tui.schema.operations import Source

_IMAGE, _LOCAL, _GIT, _LAYOUT, _MADE = "docker-image://", "local://", "git://", "oci-layout://", "made://"
#: Attributes that are read, or that change nothing that is made, by the scheme.
_KNOWN = {
    _IMAGE: {"image.resolvemode", "image.recordtype"},
    _LOCAL: {
        *("local.session", "local.unique", "local.sharedkeyhint", "local.differ", "local.metadatatransfer"),
        *("local.includepattern", "local.excludepatterns", "local.followpaths"),
    },
    _GIT: {
        *("git.keepgitdir", "git.fullurl", "git.authtokensecret", "git.authheadersecret", "git.mountsshsock", "git.checksum"),
        "git.knownsshhosts",
    },
    _LAYOUT: {"oci.session", "oci.store"},
    _MADE: set[str](),
    "http": {"http.checksum", "http.filename", "http.perm", "http.uid", "http.gid"},
}
_TRUE = ("true", "1", "t")
#: Names of secrets that clients name though they have none.
_USUAL_SECRETS = ("", "GIT_AUTH_TOKEN", "GIT_AUTH_HEADER")


class Origins:
    """Of one build."""

    def __init__(self, sources: Sources, loader: Loader, content: ContentStore) -> None:
        self._sources = sources
        self._loader = loader
        self._content = content

    async def get(self, source: Source, platform: oci.Platform | None, shop: Workshop) -> Output:
        """Raises ``InvalidArgument``, ``NotImplementedYet``, and what fetching raises."""
        identifier, attributes = source.identifier, source.attributes
        scheme = next((each for each in _KNOWN if identifier.startswith(each)), "")
        if not scheme:
            raise NotImplementedYet(f"the source {identifier[:80]} of a graph of operations")
        for name in attributes.keys() - _KNOWN[scheme]:
            raise NotImplementedYet(f"the attribute {name[:80]} of the source {identifier[:80]}")
        rest = identifier.removeprefix(scheme)
        if not rest:
            raise InvalidArgument(f"the source {identifier[:80]} names nothing")
        match scheme:
            case "docker-image://":
                return stripped(await shop.base(parse(rest).familiar, platform))
            case "made://":
                return stripped(named.made(rest, self._content))
            case "oci-layout://":
                return await self._layout(rest, attributes, shop)
            case "local://":
                return await self._folder(rest, attributes, shop)
            case "git://":
                return await self._repository(rest, attributes, shop)
            case _:
                return await self._file(identifier, attributes, shop)

    async def _layout(self, rest: str, attributes: Mapping[str, str], shop: Workshop) -> Output:
        name, _, digest = rest.partition("@")
        store = attributes.get("oci.store") or name.partition(":")[0]
        if not is_digest(digest):
            raise InvalidArgument(f"the source oci-layout://{rest[:80]} has no digest")
        return stripped(await named.in_layout(self._sources.layout(store), digest, self._loader))

    async def _folder(self, name: str, attributes: Mapping[str, str], shop: Workshop) -> Output:
        include, exclude, follow = (
            _patterns(attributes.get(f"local.{key}", "")) for key in ("includepattern", "excludepatterns", "followpaths")
        )
        context, size = await self._sources.selected(
            name, attributes.get("local.sharedkeyhint", ""), include=include, exclude=exclude, follow=follow
        )
        shop.report.tell_bytes(f"transferring {name}:", size)
        return Output(tree=context)

    async def _repository(self, rest: str, attributes: Mapping[str, str], shop: Workshop) -> Output:
        """The identifier has the ref and the folder behind ``#``, the attribute ``git.fullurl`` the address with its scheme."""
        for name in ("git.authtokensecret", "git.authheadersecret"):
            if attributes.get(name, "") not in _USUAL_SECRETS:
                raise NotImplementedYet(f"{name}={attributes[name][:80]} of a source (use the secret {git.TOKEN})")
        address, _, fragment = rest.partition("#")
        url = attributes.get("git.fullurl") or f"https://{address}"
        commit = attributes.get("git.checksum", "")
        keeps = attributes.get("git.keepgitdir", "").lower() in _TRUE
        remote = git.parse(f"{url.partition('#')[0]}#{fragment}")
        context, revision = await self._sources.repository(remote, keep_git_dir=keeps)
        if not revision.startswith(commit):
            raise MobyError(f"expected checksum to match {commit[:80]}, got {revision}")
        return Output(tree=context)

    async def _file(self, url: str, attributes: Mapping[str, str], shop: Workshop) -> Output:
        """A tree with one file, which is root's with mode 0600."""
        new_files = NewFiles(shop.scratch)
        await new_files.fetch(url, attributes.get("http.checksum", ""), to_folder=False, name=attributes.get("http.filename", ""))
        context = self._sources.opened(new_files.open())
        file = open_in_root(context.root, new_files.paths[0], os.O_RDONLY)
        try:
            os.fchown(file, _number(attributes, "http.uid"), _number(attributes, "http.gid"))
            if "http.perm" in attributes:
                os.fchmod(file, _number(attributes, "http.perm") & 0o777)
        finally:
            os.close(file)
        return Output(tree=context)


def _patterns(text: str) -> list[str]:
    """A JSON list of texts. Raises ``InvalidArgument``."""
    try:
        patterns = json.loads(text or "[]") or []
    except (ValueError, RecursionError):
        patterns = None
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise InvalidArgument(f"invalid list {text[:80]!r}: it is a JSON list of texts")
    return patterns


def _number(attributes: Mapping[str, str], name: str) -> int:
    """As Go reads it: octal behind a zero."""
    text = attributes.get(name) or "0"
    try:
        return int(text, 8 if text.startswith("0") else 10)
    except ValueError:
        raise InvalidArgument(f"invalid {name} {attributes[name][:40]!r}: it is a number") from None
