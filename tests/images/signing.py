"""Signs images in a registry as cosign does, with keys made here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from images_data import sha256
from servers.registry import CONFIG, INDEX, MANIFEST, Registry

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


class Key:
    """``kind``: ecdsa, ed25519 or rsa."""

    def __init__(self, kind: str = "ecdsa") -> None:
        self._kind = kind
        makers: dict[str, Callable[[], Any]] = {
            "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
            "ed25519": ed25519.Ed25519PrivateKey.generate,
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
        }
        self._key = makers[kind]()

    @property
    def public(self) -> str:
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return str(self._key.public_key().public_bytes(serialization.Encoding.PEM, spki), "ascii")

    def sign(self, data: bytes) -> bytes:
        if self._kind == "ed25519":
            return bytes(self._key.sign(data))
        if self._kind == "rsa":
            return bytes(self._key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        return bytes(self._key.sign(data, ec.ECDSA(hashes.SHA256())))


def payload(digest: str, identity: str, optional: dict[str, str] | None = None) -> bytes:
    critical = {
        "identity": {"docker-reference": identity},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": optional}).encode()


def layer(registry: Registry, name: str, body: bytes, media_type: str, annotations: dict[str, str]) -> dict[str, Any]:
    digest = registry.push_blob(name, body)
    return {"mediaType": media_type, "digest": digest, "size": len(body), "annotations": annotations}


def signed_layer(registry: Registry, name: str, body: bytes, signature: bytes) -> dict[str, Any]:
    annotations = {"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}
    return layer(registry, name, body, SIMPLE, annotations)


def push_layers(registry: Registry, name: str, tag: str, layers: list[dict[str, Any]], **more: Any) -> tuple[str, int]:
    """A manifest of these layers; its digest and size."""
    config = b"{}"
    described = {"mediaType": CONFIG, "digest": registry.push_blob(name, config), "size": len(config)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers, **more}
    return registry.push_manifest(name, tag, manifest), len(json.dumps(manifest).encode())


def tag_of(digest: str, suffix: str = "sig") -> str:
    return f"{digest.replace(':', '-')}.{suffix}"


def sign(registry: Registry, name: str, digest: str, key: Key, identity: str = "", **optional: str) -> None:
    """As ``cosign sign --key``, under the tag that the digest makes."""
    body = payload(digest, identity or f"{registry.address}/{name}", optional)
    push_layers(registry, name, tag_of(digest), [signed_layer(registry, name, body, key.sign(body))])


def envelope(statement: dict[str, Any], key: Key) -> dict[str, Any]:
    body = json.dumps(statement).encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(body), body)
    return {
        "payload": base64.b64encode(body).decode(),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": base64.b64encode(key.sign(signed)).decode()}],
    }


def statement(digest: str, kind: str, predicate: object = None) -> dict[str, Any]:
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    return {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": kind, "predicate": predicate}


def bundle(content: dict[str, Any]) -> bytes:
    return json.dumps(
        {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}}, "dsseEnvelope": content}
    ).encode()


def refer(
    registry: Registry, name: str, digest: str, body: bytes, media_type: str, annotations: dict[str, str] | None = None
) -> None:
    """What refers to a manifest, in the list that stands for the referrers of a registry without that interface."""
    subject = {"mediaType": MANIFEST, "digest": digest, "size": 1}
    layers = [layer(registry, name, body, media_type, annotations or {})]
    own, size = push_layers(registry, name, sha256(body).replace(":", "-")[:40], layers, artifactType=media_type, subject=subject)
    entry = {"mediaType": MANIFEST, "digest": own, "size": size, "artifactType": media_type}
    registry.push_manifest(name, digest.replace(":", "-"), {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX)
