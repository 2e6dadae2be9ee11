"""Secrets of plain containers. Ours: Docker's engine has secrets for a swarm's services alone, whose shapes these follow."""

from __future__ import annotations

from msgspec import field

from moby_tui.schema.base import Wire


class SecretSpec(Wire, kw_only=True):
    name: str
    labels: dict[str, str] | None = None


class Secret(Wire, kw_only=True):
    """What is told of a secret: never what it holds. Times are UTC with nanoseconds; a secret is never changed."""

    id: str = field(name="ID")
    created_at: str
    updated_at: str
    spec: SecretSpec


class SecretCreate(Wire, kw_only=True):
    """Body of ``POST /moby/secrets/create``; ``data`` is base64 in JSON."""

    name: str
    labels: dict[str, str] | None = None
    data: bytes = b""

    def __repr__(self) -> str:
        """The representation, without the payload: it may reach a log."""
        return f"SecretCreate(name={self.name!r}, labels={self.labels!r})"


class SecretCreated(Wire, kw_only=True):
    id: str = field(name="ID")
