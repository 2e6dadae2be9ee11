"""The key of a data root's secrets, and the cipher: AES-256 in Galois/Counter Mode (NIST SP 800-38D), of ``cryptography``.

The library is imported when something is encrypted or decrypted, and nowhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

from moby_tui.errors import MobyError

_KEY_BYTES = 32
#: The length that the specification recommends; random ones are safe for 2**32 messages with one key.
_NONCE_BYTES = 12


def read_key(path: Path) -> bytes:
    """Reads the key that encrypts secrets. Raises ``FileNotFoundError``, and ``MobyError`` if the file does not hold a key."""
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise MobyError(
            f"the key of the secrets, {path}, is damaged: restore it from a backup, or remove the secrets and this file"
        )
    return key


def new_key() -> bytes:
    return os.urandom(_KEY_BYTES)


def encrypt(key: bytes, data: bytes, bound_to: bytes) -> tuple[bytes, bytes]:
    """The nonce and the encrypted data, which ``decrypt`` takes only together with the same ``bound_to``."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return nonce, AESGCM(key).encrypt(nonce, data, bound_to)


def decrypt(key: bytes, nonce: bytes, data: bytes, bound_to: bytes) -> bytes:
    """Raises ``ValueError`` if the data was changed, belongs to something else, or was encrypted with another key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, data, bound_to)
    except InvalidTag:
        raise ValueError("it was changed, or encrypted with another key") from None
