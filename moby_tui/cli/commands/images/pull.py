"""``moby pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.images import ImagePullOptions


def pull(options: ImagePullOptions, name: str) -> None:
    """``moby pull``."""
    session.require_no_trust(options)
    tell_default_tag(name, all_tags=options.all_tags, quiet=options.quiet)
    session.call(lambda client: _pull(client, name, platform=options.platform, all_tags=options.all_tags, quiet=options.quiet))
    print(_familiar(name, tagged=not options.all_tags))


def tell_default_tag(name: str, *, all_tags: bool, quiet: bool) -> None:
    """Says which tag is meant, as docker does. Raises ``InvalidArgument`` for what is no reference, and for a tag beside all tags."""
    from moby_tui.reference import DEFAULT_TAG, parse

    reference = parse(name)
    if all_tags and (reference.tag or reference.digest):
        raise InvalidArgument("tag can't be used with --all-tags/-a")
    if not (all_tags or quiet or reference.tag or reference.digest):
        print(f"Using default tag: {DEFAULT_TAG}", flush=True)


async def _pull(client: Client, name: str, *, platform: str, all_tags: bool, quiet: bool) -> None:
    from moby_tui.cli.output import progress

    steps = client.images.pull(name, platform=platform, all_tags=all_tags, auth=session.login_for(name))
    await (progress.consume(steps) if quiet else progress.show(steps))


def _familiar(name: str, *, tagged: bool) -> str:
    """The whole reference, as docker's last line has it: ``docker.io/library/alpine:latest``."""
    host, slash, _ = name.partition("/")
    named_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    path = name if named_host else f"docker.io/{name if slash else f'library/{name}'}"
    return path if not tagged or "@" in path or ":" in path.rpartition("/")[2] else f"{path}:latest"
