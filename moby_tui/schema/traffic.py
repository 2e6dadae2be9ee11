"""What reaches containers from outside, and what keeps traffic from flowing. Ours: the Docker Engine API has nothing like it."""

from __future__ import annotations

from msgspec import field

from moby_tui.schema.base import Wire

#: Why a port is reachable.
PUBLISHED, HOST, ROUTED, UNPROTECTED, ON_THE_WIRE, TRUSTED = (
    "published",
    "host network",
    "gateway_mode routed",
    "nat-unprotected",
    "on the wire",
    "trusted interface",
)


class Exposure(Wire, kw_only=True):
    """A port that is reachable from outside of this host, at ``address`` (``0.0.0.0`` and ``::``: every address of the host).

    ``port`` and ``container_port`` 0, and no ``protocol``: whatever the container listens on, which is nothing just now.
    """

    address: str
    port: int
    protocol: str
    container: str
    container_id: str = field(name="ContainerID")
    container_port: int
    network: str
    reason: str
    explanation: str = ""


class Finding(Wire, kw_only=True):
    """Something that blocks or breaks the traffic of containers (``error``), or may (``warning``), and what to do about it.

    ``about`` is one word: which of the checks found it.
    """

    about: str
    message: str
    advice: str
    severity: str = "error"


class Shape(Wire, kw_only=True):
    """How what a container sends into a network is treated: ``delay`` and ``jitter`` in microseconds, ``loss`` in percent, ``rate`` in bits
    per second; 0: not at all. In a request without a network each of the container's is meant, and ``interface`` is not read."""

    network: str = ""
    interface: str = ""
    delay: int = 0
    jitter: int = 0
    loss: float = 0.0
    rate: int = 0
