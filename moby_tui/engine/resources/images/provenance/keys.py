"""Reads public keys (PEM) and verifies signatures: ECDSA, Ed25519 and RSA, as cosign makes them (sigstore, SIGNATURE_SPEC.md).

``cryptography`` is imported when a key is read, and nowhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from moby_tui.errors import InvalidArgument

_SMALLEST_RSA = 2048


@dataclass(frozen=True)
class PublicKey:
    """``name`` is the SHA-256 of the key itself (SubjectPublicKeyInfo, RFC 5280)."""

    name: str
    _key: Any

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """True if the key made this signature of this data (SHA-256, except Ed25519; RSA with PKCS #1 v1.5)."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signature, data, ec.ECDSA(SHA256()))
            elif isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, data)
            else:
                self._key.verify(signature, data, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def read(pem: bytes, where: str) -> PublicKey:
    """Reads a key. Raises ``InvalidArgument`` for an unknown kind or no key at all; the text names ``where`` it came from."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "; give cosign.pub, not the private key" if b"PRIVATE KEY" in pem else ""
        raise InvalidArgument(f"{where} is no public key in PEM{hint}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        raise InvalidArgument(f"{where} is a key of another kind than ECDSA, Ed25519 or RSA")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SMALLEST_RSA:
        raise InvalidArgument(f"{where} is an RSA key of {key.key_size} bits; less than {_SMALLEST_RSA} is not safe")
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey("sha256:" + hashlib.sha256(encoded).hexdigest(), key)
