"""Signed documents: payloads of "simple signing", and in-toto statements in DSSE envelopes. Read strictly: a document that can be read
in two ways is refused.

containers/image, signature format; sigstore, SIGNATURE_SPEC.md and BUNDLE_SPEC.md; secure-systems-lab/dsse, protocol.md.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from moby_tui.errors import InvalidArgument

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
#: Sigstore's bundles, all versions
BUNDLE = "application/vnd.dev.sigstore.bundle"
_SIGNATURE_TYPE = "cosign container image signature"
#: The predicate type of ``cosign sign``: a signature without further statement.
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
Json = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """What a signature says: the manifest's digest, the name it was signed under (empty: none), and annotations."""

    digest: str
    identity: str
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Envelope:
    """A DSSE envelope: the payload, and its signatures, unverified."""

    payload_type: str
    payload: bytes
    signatures: list[bytes]

    @property
    def signed(self) -> bytes:
        """The pre-authentication encoding: the bytes over which the signature is."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


def strict(body: bytes, what: str) -> Json:
    """A JSON object in which no name comes twice. Raises ``InvalidArgument``."""

    def unique(pairs: list[tuple[str, Any]]) -> Json:
        document = dict(pairs)
        if len(document) != len(pairs):
            raise ValueError("a name comes twice")
        return document

    try:
        document = json.loads(body, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"{what} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidArgument(f"{what} is not a JSON object")
    return document


def simple_claim(payload: bytes) -> Claim:
    """The claim of a simple signing payload. Raises ``InvalidArgument``."""
    document = strict(payload, "the signed payload")
    try:
        critical = document["critical"]
        digest, identity = critical["image"]["docker-manifest-digest"], critical["identity"]["docker-reference"]
        kind = critical["type"]
        optional = document.get("optional") or {}
        known = {"type", "image", "identity"}
        if set(critical) != known or set(document) - {"critical", "optional"} or len(critical["image"]) != 1:
            raise InvalidArgument("the signed payload says critical things that are not understood")
        if not all(isinstance(text, str) for text in (digest, identity)) or not isinstance(optional, dict):
            raise TypeError
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidArgument("the signed payload lacks what a signature of an image says") from error
    if kind != _SIGNATURE_TYPE:
        raise InvalidArgument(f"the signed payload is a {str(kind)[:60]!r}, not a {_SIGNATURE_TYPE!r}")
    return Claim(digest, identity, {key: value for key, value in optional.items() if isinstance(value, str)})


def envelope(document: Json) -> Envelope:
    """A DSSE envelope. Raises ``InvalidArgument``."""
    try:
        signatures = [decoded(item["sig"]) for item in document["signatures"]]
        return Envelope(str(document["payloadType"]), decoded(document["payload"]), signatures)
    except (KeyError, TypeError) as error:
        raise InvalidArgument("the DSSE envelope is incomplete") from error


def bundled(body: bytes) -> Envelope:
    """The envelope in a Sigstore bundle. Raises ``InvalidArgument``, also for a bundle without one."""
    document = strict(body, "the Sigstore bundle")
    inner = document.get("dsseEnvelope")
    if not str(document.get("mediaType", "")).startswith(BUNDLE) or not isinstance(inner, dict):
        raise InvalidArgument("the Sigstore bundle holds no DSSE envelope")
    return envelope(inner)


def statement(body: bytes) -> Json:
    """An in-toto statement. Raises ``InvalidArgument``."""
    document = strict(body, "the in-toto statement")
    if not str(document.get("_type", "")).startswith("https://in-toto.io/Statement/"):
        raise InvalidArgument("the attestation is no in-toto statement")
    return document


def subjects(document: Json) -> list[str]:
    """The sha256 digests that a statement is about."""
    digests = []
    for subject in document.get("subject") or []:
        digest = subject.get("digest") if isinstance(subject, dict) else None
        if isinstance(digest, dict) and isinstance(digest.get("sha256"), str):
            digests.append(f"sha256:{digest['sha256']}")
    return digests


def decoded(text: object) -> bytes:
    """The bytes of base64. Raises ``InvalidArgument``."""
    if not isinstance(text, str):
        raise InvalidArgument("a signature or payload is not base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("a signature or payload is not base64") from error
