"""The signatures of an image: read from its registry, and verified with keys.

A signature is valid if a given key made it, it is for this manifest's digest, and its claim is accepted. Any other one
is ignored: anybody who can write to the repository can add signatures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from moby_tui.engine.resources.images.provenance import attachments, documents
from moby_tui.engine.resources.images.provenance.attachments import Attached, Source
from moby_tui.engine.resources.images.provenance.documents import Claim
from moby_tui.engine.resources.images.provenance.keys import PublicKey
from moby_tui.errors import InvalidArgument, MobyError, Unavailable
from moby_tui.schema.provenance import Signature

_SIGNATURE = "dev.cosignproject.cosign/signature"
_LARGEST_PAYLOAD, _LARGEST_BUNDLE = 1 << 16, 1 << 20
_LONGEST_SIGNATURE = 1 << 13
_MOST_REASONS = 5

#: Raises ``InvalidArgument`` if the claim is not acceptable.
Accept = Callable[[Claim], None]


@dataclass
class Found:
    """The valid signatures, and the reasons why others are not."""

    signatures: list[Signature] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        if len(self.reasons) < _MOST_REASONS and reason not in self.reasons:
            self.reasons.append(reason)

    @property
    def why(self) -> str:
        return "; ".join(self.reasons) or "it has no signature"


async def find(source: Source, digest: str, keys: list[PublicKey], accept: Accept, *, bundles: bool) -> Found:
    """The signatures of a manifest. ``bundles``: accept Sigstore's bundles too, which name no repository."""
    result = Found()
    async for attached in _candidates(source, digest, result):
        try:
            signature = await _check(source, attached, digest, keys, accept, bundles=bundles)
        except Unavailable:
            raise
        except MobyError as error:
            result.refuse(error.message)
            continue
        if signature and signature not in result.signatures:
            result.signatures.append(signature)
    return result


async def _candidates(source: Source, digest: str, found: Found) -> AsyncIterator[Attached]:
    """The signatures to check, from both places. An unreadable list does not hide the other."""
    for listed in (attachments.by_tag(source, digest, "sig"), attachments.by_reference(source, digest)):
        try:
            async for attached in listed:
                yield attached
        except Unavailable:
            raise
        except MobyError as error:
            found.refuse(error.message)


async def _check(
    source: Source, attached: Attached, digest: str, keys: list[PublicKey], accept: Accept, *, bundles: bool
) -> Signature | None:
    """Verifies one signature; None if the blob is no signature. Raises ``InvalidArgument`` if it is not valid."""
    kind = attached.descriptor.media_type
    if kind == documents.SIMPLE_SIGNING:
        key, claim = await _simple(source, attached, keys)
        form = "simple signing"
    elif kind.startswith(documents.BUNDLE) and bundles:
        key, claim = await _bundle(source, attached, digest, keys)
        form = "sigstore bundle"
    else:
        return None
    if claim.digest != digest:
        raise InvalidArgument(f"a signature is for another image, {claim.digest[:80]}")
    accept(claim)
    return Signature(key=key.name, format=form, identity=claim.identity, annotations=claim.annotations)


async def _simple(source: Source, attached: Attached, keys: list[PublicKey]) -> tuple[PublicKey, Claim]:
    text = attached.descriptor.annotations.get(_SIGNATURE, "")
    if len(text) > _LONGEST_SIGNATURE:
        raise InvalidArgument("a signature is far too long")
    payload = await source.small_blob(attached.descriptor, _LARGEST_PAYLOAD)
    key = _signer(keys, payload, [documents.decoded(text)])
    return key, documents.simple_claim(payload)


async def _bundle(source: Source, attached: Attached, digest: str, keys: list[PublicKey]) -> tuple[PublicKey, Claim]:
    envelope = documents.bundled(await source.small_blob(attached.descriptor, _LARGEST_BUNDLE))
    key = _signer(keys, envelope.signed, envelope.signatures)
    if envelope.payload_type != documents.IN_TOTO:
        raise InvalidArgument("a Sigstore bundle signs no in-toto statement")
    statement = documents.statement(envelope.payload)
    if statement.get("predicateType") != documents.SIGN_PREDICATE:
        raise InvalidArgument("a Sigstore bundle attests something, but is no signature of the image")
    subjects = documents.subjects(statement)
    return key, Claim(digest if digest in subjects else "".join(subjects[:1]), "")


def _signer(keys: list[PublicKey], signed: bytes, signatures: list[bytes]) -> PublicKey:
    for key in keys:
        if any(key.has_signed(signed, signature) for signature in signatures[: attachments.MOST]):
            return key
    raise InvalidArgument("a signature was made by none of the keys given")
