"""``image verify``: whether one of the given keys has signed an image."""

from __future__ import annotations

from collections.abc import Callable

from moby_tui.engine.resources.images.provenance import keys, signatures
from moby_tui.engine.resources.images.provenance.attachments import Source
from moby_tui.engine.resources.images.provenance.documents import Claim
from moby_tui.errors import Forbidden, InvalidArgument
from moby_tui.reference import Reference, parse
from moby_tui.schema.provenance import Verification, VerifyOptions


async def verify(reference: Reference, digests: list[str], source: Source, options: VerifyOptions) -> Verification:
    """``digests`` are the image's digests in its repository (index and manifest): one of them must be signed.

    Raises ``Forbidden`` if no signature is valid, ``InvalidArgument`` for a bad key.
    """
    if not options.keys:
        raise InvalidArgument("give the public key to verify with (cosign.pub)")
    given = [keys.read(pem.encode(), f"key {number}") for number, pem in enumerate(options.keys, 1)]
    accept = _accept(reference, options)
    whys = []
    for digest in digests:
        signed = await signatures.find(source, digest, given, accept, bundles=not options.identity and not options.annotations)
        if signed.signatures:
            return Verification(reference=reference.familiar, digest=digest, signatures=signed.signatures)
        whys.append(signed.why)
    raise Forbidden(f"{reference.familiar} ({digests[0]}) is not signed by the key given: {whys[0]}")


def _accept(reference: Reference, options: VerifyOptions) -> Callable[[Claim], None]:
    wanted = parse(options.identity) if options.identity else Reference(reference.domain, reference.path)

    def accept(claim: Claim) -> None:
        if claim.identity or options.identity:
            signed = parse(claim.identity)
            exact = not (wanted.tag or wanted.digest) or (signed.tag, signed.digest) == (wanted.tag, wanted.digest)
            if signed.repository != wanted.repository or not exact:
                raise InvalidArgument(
                    f"a signature is for {claim.identity[:200]}, not {wanted.familiar} (--identity names another to expect)"
                )
        for key, value in options.annotations.items():
            if claim.annotations.get(key) != value:
                raise InvalidArgument(f"a signature lacks the annotation {key}={value}")

    return accept
