"""Networks, as the Engine API has them."""

from __future__ import annotations

from msgspec import field

from moby_tui.schema.base import Wire
from moby_tui.schema.container import EndpointSettings


class IpamPool(Wire, kw_only=True, omit_defaults=True):
    """One subnet, with its gateway if a request has named one or the engine has chosen the subnet too."""

    subnet: str = ""
    ip_range: str = field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class Ipam(Wire, kw_only=True):
    driver: str = "default"
    options: dict[str, str] | None = None
    config: list[IpamPool] | None = None


class NetworkContainer(Wire, kw_only=True):
    """Addresses carry their prefix length."""

    name: str = ""
    endpoint_id: str = field(default="", name="EndpointID")
    mac_address: str = ""
    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")


class ConfigReference(Wire, kw_only=True):
    network: str = ""


class Network(Wire, kw_only=True):
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
    ingress: bool = False
    config_from: ConfigReference = field(default_factory=ConfigReference)
    config_only: bool = False
    containers: dict[str, NetworkContainer] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


class NetworkCreate(Wire, kw_only=True):
    """Body of ``POST /networks/create``."""

    name: str = ""
    check_duplicate: bool = False
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool | None = field(default=None, name="EnableIPv4")
    enable_ipv6: bool | None = field(default=None, name="EnableIPv6")
    ipam: Ipam | None = field(default=None, name="IPAM")
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class NetworkCreated(Wire, kw_only=True):
    id: str = ""
    warning: str = ""


class NetworkConnect(Wire, kw_only=True):
    """Body of ``POST /networks/{id}/connect``."""

    container: str = ""
    endpoint_config: EndpointSettings | None = None


class NetworkDisconnect(Wire, kw_only=True):
    """Body of ``POST /networks/{id}/disconnect``."""

    container: str = ""
    force: bool = False


class NetworksPruned(Wire, kw_only=True):
    networks_deleted: list[str] | None = None
