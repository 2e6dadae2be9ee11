"""Removes default bridges of other data roots that no container is in, when the pools of subnets are used up.

A default bridge stays when its engine ends, also when the folders of its data root are removed. Its alias is the folder with the records of
its engine, so that every engine of the host can see whether a container is in it. An engine whose bridge was removed makes it again when it
next starts a container there.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from moby_tui.engine.kernel.network import link_removal, rtnetlink
from moby_tui.engine.kernel.network.netlink import NETLINK_ROUTE, open_socket, request
from moby_tui.engine.kernel.network.rtnetlink import Link
from moby_tui.engine.resources.networks import host
from moby_tui.engine.resources.networks.creation.pools import Pool, overlaps
from moby_tui.engine.resources.networks.sandbox import Folders

#: The names of default bridges: that of the system's data root, and those of others.
_NAME = re.compile(r"moby0|moby-[0-9a-f]{8}")


def removals(own: str, pools: Iterable[Pool]) -> Iterator[str]:
    """Removes one bridge after the other, and yields its name; first those whose folder is gone. Blocking.

    ``own`` is the caller's bridge, which stays. A bridge stays too that has no subnet in the pools. Raises ``OSError``.
    """
    bases = [pool.base for pool in pools]
    within = {route.interface for route in host.routes() if any(overlaps(route.destination, base) for base in bases)}
    found = [link for link in _empty_bridges() if link.index in within and link.name != own]
    for link in sorted(found, key=lambda link: Path(link.alias).exists()):
        if _remove(link):
            yield link.name


def _empty_bridges() -> list[Link]:
    """The default bridges with an alias of ours that have no ports."""
    with open_socket(NETLINK_ROUTE) as asking:
        links = [rtnetlink.link_of(answer) for answer in request(asking, rtnetlink.list_links())]
    used = {link.master for link in links}
    return [
        link
        for link in links
        if link.kind == "bridge" and _NAME.fullmatch(link.name) and link.alias.startswith("/") and link.index not in used
    ]


def _remove(link: Link) -> bool:
    """Removes a bridge, unless a container is in it, or a process is about to put one there: False then."""
    folders = Folders(Path(link.alias))
    with folders.locked_if_free() as is_free:
        if not is_free or folders.has_containers():
            return False
        try:
            link_removal.delete_link(link.name)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
    return True
