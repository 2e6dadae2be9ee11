"""The list of networks as the dashboard knows it."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.schema.network import Network as Summary
from moby_tui.screens import text
from moby_tui.screens.session.resources import ResourceModel

#: The networks that every engine has and nobody removes.
BUILT_IN = frozenset({"bridge", "host", "none", "podman"})


@dataclass(frozen=True, slots=True)
class Network:
    """One row; texts are cleaned."""

    id: str
    name: str
    driver: str
    subnets: str
    internal: bool
    project: str

    @property
    def built_in(self) -> bool:
        return self.name in BUILT_IN

    @property
    def words(self) -> str:
        return f"{self.name} {self.id} {self.driver} {self.subnets} {self.project} internal={self.internal}".lower()


class NetworkModel(ResourceModel[Summary, Network]):
    """Networks by id."""

    kind = "network"
    changes = frozenset({"create", "update"})
    ends = frozenset({"destroy", "remove"})

    def make(self, summary: Summary) -> Network:
        return Network(
            id=summary.id,
            name=text.clean(summary.name),
            driver=text.clean(summary.driver),
            subnets=text.clean(", ".join(pool.subnet for pool in summary.ipam.config or [])),
            internal=summary.internal,
            project=text.clean(summary.labels.get("com.docker.compose.project", "")),
        )
