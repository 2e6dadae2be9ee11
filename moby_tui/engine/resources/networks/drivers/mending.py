"""What somebody else changed in our nftables tables is noticed and put right: a reload of the host's firewall, ``nft flush ruleset``.

A table is held against what it ought to be: its chains and rules by their digest (``Firewall.is_built``), the elements of its sets and
maps by the networks and by the records of published ports. Where nothing has happened since all was last found right, which is noted
(``Seen``), a look is one message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from moby_tui.engine.kernel.network.generation import generation

if TYPE_CHECKING:
    from moby_tui.engine.resources.networks.bridge_options import BridgeOptions
    from moby_tui.engine.resources.networks.firewall import Firewall

#: What is just being published, or withdrawn, differs from its record for less than this.
_CONFIRM_SECONDS = 0.05
#: While records of published ports come and go it is looked again, so often; a container with hundreds of ports takes a while to end.
_LOOKS = 10
#: Containers start and end while a table is made anew: it is looked at again, and made again, so often.
_TRIES = 5

Elements = frozenset[tuple[str, bytes]]


class Mending:
    """The tables of one engine. ``networks`` are those whose bridges are here, of ``every_network``.

    ``versions`` are the IP versions that have a table; ``published`` has for each of these the messages that publish ports.
    """

    def __init__(
        self,
        firewall: Firewall,
        networks: Callable[[], list[BridgeOptions]],
        every_network: Callable[[], list[BridgeOptions]],
        versions: Callable[[], Iterable[int]],
        published: Callable[[], dict[int, list[bytes]]],
    ) -> None:
        self._firewall = firewall
        self._networks = networks
        self._every_network = every_network
        self._versions = versions
        self._published = published

    def look(self) -> dict[int, str]:
        """As ``wrong``; where nothing is, that is noted."""
        before = generation()
        found, is_settled = self._find()
        if not found and is_settled:
            self._firewall.seen.write(before)
        return found

    def mend(self) -> list[str]:
        """Puts right what is wrong, and tells what it was; the caller holds the lock of the networks. Raises ``OSError``.

        What it has made is not noted as right: a container may have ended between its record and its elements.
        """
        found: list[str] = []
        for _ in range(_TRIES):
            wrong = self.wrong()
            if not wrong:
                break
            found = found or [*wrong.values()]
            for version in wrong:
                self._firewall.build(version, self._networks(), self._published().get(version, []))
        return found

    def wrong(self) -> dict[int, str]:
        """For each IP version whose table is not what it ought to be, what is wrong with it. Raises ``OSError``."""
        return self._find()[0]

    def _find(self) -> tuple[dict[int, str], bool]:
        """As ``wrong``; False where a container was starting or ending all the time, so that it cannot be told."""
        found = {version: self._wrong(version) for version in self._versions()}
        return {version: text for version, text in found.items() if text}, None not in found.values()

    def _wrong(self, version: int) -> str | None:
        """Empty where nothing is wrong, None where that cannot be told now."""
        if not self._firewall.is_built(version):
            return f"the nftables table {self._firewall.name} (IPv{version}) is missing or has other rules than it should"
        before, published = self._differing(version)
        for _ in range(_LOOKS):
            if not before:
                return ""
            time.sleep(_CONFIRM_SECONDS)
            earlier, published_earlier = before, published
            before, published = self._differing(version)
            changed = earlier & before
            if changed and published == published_earlier:
                sets = ", ".join(sorted({name for name, _ in changed}))
                return f"the nftables table {self._firewall.name} (IPv{version}) has other elements than it should ({sets})"
        return None

    def _differing(self, version: int) -> tuple[Elements, list[bytes]]:
        """What is there and should not be, or the other way around; and the messages that publish ports by the records.

        The kernel is asked first: a record precedes its elements.
        """
        there = self._firewall.elements(version)
        published = self._published().get(version, [])
        needed = self._firewall.wanted(version, self._networks(), published)
        # a bridge that is gone just now is no reason to take away what it is in the table
        allowed = self._firewall.wanted(version, self._every_network(), published)
        return (needed - there) | (there - allowed), sorted(published)
