"""The networks ``none`` and ``host``: nothing is made for either."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from moby_tui.engine.resources.networks.drivers.driver import Endpoint, Teardown
from moby_tui.engine.store.records.networks import NetworkRecord
from moby_tui.errors import Forbidden


class NullDriver:
    """A namespace with a loopback interface and nothing else."""

    name: ClassVar[str] = "null"
    has_addresses: ClassVar[bool] = False

    def check(self, network: NetworkRecord) -> None:
        """There is one of each, which every engine has."""
        raise Forbidden(f'only one instance of "{self.name}" network is allowed')

    def create(self, network: NetworkRecord) -> None:
        """Nothing is needed."""

    def delete(self, network: NetworkRecord) -> None:
        """Nothing is there."""

    def teardown_of(self, network: NetworkRecord, endpoint: Endpoint) -> Teardown:
        return []

    def attach(self, network: NetworkRecord, endpoint: Endpoint, namespace: int) -> None:
        """Nothing is wired."""

    def restore(self, networks: Iterable[NetworkRecord]) -> None:
        """Nothing can be gone."""


class HostDriver(NullDriver):
    """The host's own namespace."""

    name: ClassVar[str] = "host"
