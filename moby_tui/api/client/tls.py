"""TLS between a client and an engine, with docker's files: an authority, and a certificate with its key."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from moby_tui.errors import InvalidArgument


class Tls(NamedTuple):
    """Paths, each empty for none. Without an authority the system's are trusted. ``verify`` false: the engine may be anybody."""

    authority: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True

    @property
    def files(self) -> str:
        """The files, for a message."""
        return ", ".join(name for name in (self.authority if self.verify else "", self.certificate, self.key) if name)

    def context(self) -> ssl.SSLContext:
        """Of a client. Raises ``InvalidArgument`` for files that cannot be read, or are no certificates or key."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if bool(self.certificate) != bool(self.key):
            raise InvalidArgument("a TLS certificate and its key go together: give both --tlscert and --tlskey")
        return self._loaded(context)

    def server_context(self) -> ssl.SSLContext:
        """Of an engine, which lets in who has a certificate of the authority; without ``verify``, everybody. Raises ``InvalidArgument``."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if not (self.certificate and self.key):
            raise InvalidArgument("an engine that speaks TLS needs a certificate and its key: give --tlscert and --tlskey")
        if self.verify and not self.authority:
            raise InvalidArgument("--tlsverify needs the authority whose clients are let in: give --tlscacert")
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        return self._loaded(context)

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.verify and self.authority:
                context.load_verify_locations(self.authority)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key, _no_passphrase)
        except OSError as error:
            raise InvalidArgument(f"cannot use the TLS files {self.files}: {error.strerror or error}") from None
        return context


def _no_passphrase() -> bytes:
    """Refuses a key with a passphrase, for which OpenSSL would ask on the terminal."""
    raise InvalidArgument("the TLS key is encrypted: take its passphrase away, as docker asks for too")
