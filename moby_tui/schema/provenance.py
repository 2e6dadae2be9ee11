"""Signatures and attestations of images. Ours: the Docker Engine API has little of it."""

from __future__ import annotations

from typing import Any

from msgspec import field

from moby_tui.schema.base import Wire


class VerifyOptions(Wire, kw_only=True):
    """``keys`` are public keys in PEM, one of which must have signed.

    ``identity`` is the repository (or reference) that the signature must name; empty: the image's own repository.
    ``annotations`` must all be in the signature.
    """

    keys: list[str] = field(default_factory=list)
    identity: str = ""
    annotations: dict[str, str] = field(default_factory=dict)


class Signature(Wire, kw_only=True):
    """One that counts. ``key`` is the SHA-256 of the key that made it; ``identity`` the name it was made for, if it tells one."""

    key: str
    format: str
    identity: str = ""
    annotations: dict[str, str] = field(default_factory=dict)


class Verification(Wire, kw_only=True):
    """``digest`` is the manifest's that is signed: the index's if there is one."""

    reference: str
    digest: str
    signatures: list[Signature] = field(default_factory=list)


class Attestation(Wire, kw_only=True):
    """A statement about an image. ``source`` tells how it is attached: ``index`` (BuildKit), ``cosign`` (a tag) or ``referrer``.

    ``statement`` is the in-toto statement, or another document (a bill of materials as it is); None if it was not asked for, or
    where it is none that can be shown. Nothing says that it is true: ``signed`` tells whether somebody vouches for it at all.
    """

    subject: str
    source: str
    media_type: str
    digest: str
    size: int
    predicate_type: str = ""
    signed: bool = False
    platform: str = ""
    statement: Any = None
