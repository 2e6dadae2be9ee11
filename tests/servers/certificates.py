"""Certificates for tests: an authority, a server, a client, and a stranger whom another authority knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moby_tui.api.client.tls import Tls


class Identity(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def issue(name: str, issuer: Identity | None = None) -> Identity:
    """A certificate for ``name`` and 127.0.0.1; without an issuer its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    )
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def write(folder: Path, name: str, authority: Identity, identity: Identity) -> Tls:
    pem = serialization.Encoding.PEM
    (folder / f"{name}-ca.pem").write_bytes(authority.certificate.public_bytes(pem))
    (folder / f"{name}.pem").write_bytes(identity.certificate.public_bytes(pem))
    private = identity.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}-key.pem").write_bytes(private)
    authority_file, certificate_file, key_file = (str(folder / f"{name}{kind}.pem") for kind in ("-ca", "", "-key"))
    return Tls(authority_file, certificate_file, key_file)


class Files(NamedTuple):
    server: Tls
    client: Tls
    stranger: Tls


def make(folder: Path) -> Files:
    """The files of all three, made in a folder."""
    authority, other = issue("authority"), issue("another")
    return Files(
        write(folder, "server", authority, issue("server", authority)),
        write(folder, "client", authority, issue("client", authority)),
        write(folder, "stranger", authority, issue("stranger", other)),
    )
