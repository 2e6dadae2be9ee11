"""Networks as they are kept on disk: rows of ``networks``, and the records of users' networks.

``resources/networks/wire.py`` converts to and from the Engine API's structs.
"""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
from msgspec import field

from moby_tui.engine.store.records import Form

#: The beginning of the options in which a driver notes what it has made, beside the options of the request. The API does not show them.
NOTE = "moby."


class IpamPool(Form):
    """One subnet: what the request has of it, and what the engine chose where the request has nothing. The API does not show the latter."""

    subnet: str = ""
    ip_range: str = field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None
    #: the gateway that the engine chose in a subnet of the request
    chosen_gateway: str = ""
    #: the engine chose the subnet
    is_chosen: bool = False

    @property
    def any_gateway(self) -> str:
        """The gateway of the request, else the chosen one; empty if the subnet has none."""
        return self.gateway or self.chosen_gateway


class Ipam(Form):
    """The addresses of a network (IP address management). ``config`` is None for a default bridge that was never used."""

    driver: str = "default"
    options: dict[str, str] | None = None
    config: list[IpamPool] | None = None


class ConfigReference(Form):
    """The network whose configuration another network has, by its name; empty if it has its own."""

    network: str = ""


class NetworkRecord(Form):
    """One network. ``created`` is a time as RFC 3339; ``options`` are those of the request and the driver's notes (``NOTE``).

    One that is ``config_only`` is a configuration for other networks: nothing is made for it, and no container can be in it.
    """

    name: str
    id: str
    created: str = ""
    scope: str = "local"
    driver: str = "bridge"
    enable_ipv4: bool = field(default=True, name="EnableIPv4")
    enable_ipv6: bool = field(default=False, name="EnableIPv6")
    ipam: Ipam = field(default_factory=Ipam, name="IPAM")
    internal: bool = False
    attachable: bool = False
    config_only: bool = False
    config_from: ConfigReference = field(default_factory=ConfigReference)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
