"""``moby push``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.cli.commands.images.pull import tell_default_tag

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.images import ImagePushOptions


def push(options: ImagePushOptions, name: str) -> None:
    """``moby push``."""
    session.require_no_trust(options)
    tell_default_tag(name, all_tags=options.all_tags, quiet=options.quiet)
    session.call(lambda client: _push(client, name, options.platform, all_tags=options.all_tags, quiet=options.quiet))
    if options.quiet:
        print(name)


async def _push(client: Client, name: str, platform: str, *, all_tags: bool, quiet: bool) -> None:
    from moby_tui.cli.output import progress

    steps = client.images.push(name, all_tags=all_tags, platform=platform, auth=session.login_for(name))
    await (progress.consume(steps) if quiet else progress.show(steps))
