"""Finds and repairs changes of the engine's nftables tables by other programs: a reload of the host's firewall, ``nft flush ruleset``.

The chains and rules of a table are compared by a digest (``Firewall.is_built``), the elements of its sets and maps with the networks and the
records of published ports. A note has the generation at which all tables were last right (``Seen``): if it is the current one, the check is
one netlink message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from moby_tui.engine.kernel.network.generation import generation

if TYPE_CHECKING:
    from moby_tui.engine.resources.networks.bridge_options import BridgeOptions
    from moby_tui.engine.resources.networks.firewall import Firewall

#: Seconds after which a difference counts: while a port is published or withdrawn, its record and its elements differ for less.
_CONFIRM_SECONDS = 0.05
#: The number of comparisons while records of published ports change: a container with hundreds of ports takes a while to end.
_LOOKS = 10
#: The number of times that tables are made again, since containers start and end meanwhile.
_TRIES = 5

Elements = frozenset[tuple[str, bytes]]


class Mending:
    """Compares and repairs the tables of one engine. ``networks`` returns the networks whose bridges exist, ``every_network`` all.

    ``versions`` returns the IP versions that have a table, ``published`` for each of these the messages that publish ports.
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
        """As ``wrong``. If all tables are right, notes the generation of nftables."""
        before = generation()
        faults, is_settled = self._faults()
        if not faults and is_settled:
            self._firewall.seen.write(before)
        return faults

    def mend(self) -> list[str]:
        """Makes the wrong tables again, and returns what was wrong with them. The caller holds the lock of the networks. Raises ``OSError``.

        The new tables are not noted as right: a container may have ended between the reading of its record and the making of its elements.
        """
        repaired: list[str] = []
        for _ in range(_TRIES):
            wrong = self.wrong()
            if not wrong:
                break
            repaired = repaired or [*wrong.values()]
            for version in wrong:
                self._firewall.build(version, self._networks(), self._published().get(version, []))
        return repaired

    def wrong(self) -> dict[int, str]:
        """A text of what is wrong with a table, for each IP version whose table is not right. Raises ``OSError``."""
        return self._faults()[0]

    def _faults(self) -> tuple[dict[int, str], bool]:
        """As ``wrong``, and False if containers were starting or ending all the time, so that a table could not be compared."""
        faults = {version: self._fault(version) for version in self._versions()}
        return {version: text for version, text in faults.items() if text}, None not in faults.values()

    def _fault(self, version: int) -> str | None:
        """What is wrong with a table; empty if it is right, None if it could not be compared."""
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
        """The elements that are missing and those that should not exist, and the messages of the records that publish ports.

        The elements are read before the records, since a record is written before its elements are made.
        """
        there = self._firewall.elements(version)
        published = self._published().get(version, [])
        needed = self._firewall.wanted(version, self._networks(), published)
        # the elements of a network whose bridge does not exist at the moment may stay
        allowed = self._firewall.wanted(version, self._every_network(), published)
        return (needed - there) | (there - allowed), sorted(published)
