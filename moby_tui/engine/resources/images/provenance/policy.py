"""Which images may come in: a policy file in the format of podman and skopeo (containers-policy.json(5)).

Known requirements are ``insecureAcceptAnything``, ``reject`` and ``sigstoreSigned`` with keys. A policy with requirements that cannot be
checked here refuses images, rather than admits them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moby_tui.engine.resources.images.provenance import documents, keys, signatures
from moby_tui.engine.resources.images.provenance.attachments import Source
from moby_tui.engine.resources.images.provenance.documents import Claim
from moby_tui.engine.resources.images.provenance.keys import PublicKey
from moby_tui.errors import Forbidden, InvalidArgument, MobyError
from moby_tui.reference import Reference, parse

REGISTRY, ARCHIVE = "docker", "docker-archive"
_LARGEST = 1 << 20
_KEYS = ("keyPath", "keyPaths", "keyData", "keyDatas")
_IDENTITIES = {
    "matchExact": set[str](),
    "matchRepoDigestOrExact": set[str](),
    "matchRepository": set[str](),
    "exactReference": {"dockerReference"},
    "exactRepository": {"dockerRepository"},
    "remapIdentity": {"prefix", "signedPrefix"},
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Requirement:
    """``kind`` is its type; ``keys`` and ``identity`` are those of ``sigstoreSigned``."""

    kind: str
    keys: list[PublicKey] = field(default_factory=list)
    identity: Json = field(default_factory=dict)


class Policy:
    """A policy file. Read anew for each pull or load, so that a change takes effect at once."""

    def __init__(self, path: Path, document: Json) -> None:
        self._path = path
        self._default = document["default"]
        self._transports: dict[str, dict[str, Any]] = document.get("transports", {})

    @classmethod
    def read(cls, path: Path) -> Policy:
        """Reads a policy file. Raises ``InvalidArgument`` if it is missing or malformed. Blocking."""
        try:
            with path.open("rb") as file:
                body = file.read(_LARGEST + 1)
        except OSError as error:
            raise InvalidArgument(f"signature policy {path} cannot be read: {error.strerror}") from error
        try:
            document = documents.strict(body, "it")
            _check(document)
        except InvalidArgument as error:
            raise InvalidArgument(f"signature policy {path}: {error.message}") from error
        return cls(path, document)

    async def admit(self, reference: Reference, digests: list[str], source: Source) -> None:
        """Raises ``Forbidden`` unless the policy admits an image of a registry. ``digests``: of index and manifest; either may be signed."""
        for requirement in self._requirements(REGISTRY, [*_scopes(reference)]):
            if requirement.kind == "reject":
                raise self._refusal(reference.familiar, "images from there are rejected")
            if requirement.kind == "sigstoreSigned":
                await self._require_signature(requirement, reference, digests, source)

    def admit_archive(self) -> None:
        """Raises ``Forbidden`` unless the policy admits images without a check: signatures of archives cannot be checked."""
        for requirement in self._requirements(ARCHIVE, []):
            if requirement.kind != "insecureAcceptAnything":
                raise self._refusal("an archive", f"images of {ARCHIVE} are under {requirement.kind}")

    async def _require_signature(
        self, requirement: Requirement, reference: Reference, digests: list[str], source: Source
    ) -> None:
        def accept(claim: Claim) -> None:
            if not _names(requirement.identity, claim.identity, reference):
                raise InvalidArgument(f"a signature is for {claim.identity[:200]!r}, which the policy does not take for it")

        whys = []
        for digest in dict.fromkeys(digests):
            signed = await signatures.find(source, digest, requirement.keys, accept, bundles=False)
            if signed.signatures:
                return
            whys.append(signed.why)
        raise self._refusal(reference.familiar, f"a signature is required: {whys[0]}")

    def _refusal(self, what: str, why: str) -> MobyError:
        return Forbidden(f"{what} is refused by signature policy {self._path}: {why}")

    def _requirements(self, transport: str, scopes: list[str]) -> list[Requirement]:
        """The requirements for an image: those of the narrowest matching scope. Raises ``InvalidArgument``."""
        there = self._transports.get(transport, {})
        chosen = next((there[scope] for scope in [*scopes, ""] if scope in there), self._default)
        try:
            return [_requirement(item, self._path.parent) for item in chosen]
        except InvalidArgument as error:
            raise InvalidArgument(f"signature policy {self._path}: {error.message}") from error


def _scopes(reference: Reference) -> Iterator[str]:
    """The scopes that match a reference, narrowest first: the reference, the repository, each namespace, the host, wildcard domains."""
    if reference.tag or reference.digest:
        yield reference.canonical
    name = reference.repository
    while name:
        yield name
        name = name.rpartition("/")[0]
    host = reference.domain.partition(":")[0]
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"


def _check(document: Json) -> None:
    unknown = set(document) - {"default", "transports"}
    if unknown or "default" not in document:
        raise InvalidArgument(f"unknown part {min(unknown)!r}" if unknown else "it has no default")
    transports = document.get("transports", {})
    if not isinstance(transports, dict) or not all(isinstance(scopes, dict) for scopes in transports.values()):
        raise InvalidArgument("transports is no map of maps")
    for requirements in [document["default"], *(value for scopes in transports.values() for value in scopes.values())]:
        if not isinstance(requirements, list) or not requirements or not all(isinstance(item, dict) for item in requirements):
            raise InvalidArgument("each scope has a list of one requirement or more")


def _requirement(item: Json, folder: Path) -> Requirement:
    kind = item.get("type")
    if kind in ("insecureAcceptAnything", "reject"):
        if len(item) > 1:
            raise InvalidArgument(f"{kind} takes nothing else")
        return Requirement(kind)
    if kind != "sigstoreSigned":
        raise InvalidArgument(f"requirement {str(kind)[:40]!r} cannot be checked here; use sigstoreSigned with a key")
    if unknown := set(item) - {"type", "signedIdentity", *_KEYS}:
        raise InvalidArgument(f"{min(unknown)} of sigstoreSigned cannot be checked here; use it with a key")
    identity = item.get("signedIdentity", {"type": "matchRepoDigestOrExact"})
    if not isinstance(identity, dict) or _IDENTITIES.get(str(identity.get("type"))) != set(identity) - {"type"}:
        raise InvalidArgument("signedIdentity is none that is known, or lacks a part")
    given = [name for name in _KEYS if name in item]
    if len(given) != 1:
        raise InvalidArgument("sigstoreSigned takes exactly one of " + ", ".join(_KEYS))
    return Requirement(kind, list(_read_keys(given[0], item[given[0]], folder)), identity)


def _read_keys(how: str, value: Any, folder: Path) -> Iterator[PublicKey]:
    values = value if how.endswith("s") else [value]
    if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
        raise InvalidArgument(f"{how} is not what it should be")
    for one in values:
        if how.startswith("keyPath"):
            try:
                yield keys.read((folder / one).read_bytes(), one)
            except OSError as error:
                raise InvalidArgument(f"key {one} cannot be read: {error.strerror}") from error
        else:
            try:
                yield keys.read(base64.b64decode(one, validate=True), how)
            except (binascii.Error, ValueError) as error:
                raise InvalidArgument(f"{how} is not base64") from error


def _names(identity: Json, signed: str, image: Reference) -> bool:
    """True if the policy accepts the name in a signature for this image (containers-policy.json(5), "signedIdentity")."""
    try:
        name = parse(signed)
        match identity["type"]:
            case "matchRepository":
                return name.repository == image.repository
            case "exactReference":
                return name == parse(identity["dockerReference"])
            case "exactRepository":
                return name.repository == parse(identity["dockerRepository"]).repository
            case "matchExact":
                return bool(image.tag) and _same(name, image)
            case "remapIdentity":
                return _same_or_digest(name, _remapped(image, identity["prefix"], identity["signedPrefix"]))
            case _:
                return _same_or_digest(name, image)
    except InvalidArgument:
        return False


def _same(name: Reference, image: Reference) -> bool:
    return (name.repository, name.tag, name.digest) == (image.repository, image.tag, image.digest)


def _same_or_digest(name: Reference, image: Reference) -> bool:
    """An image named by digest may have been signed under any tag of its repository."""
    return name.repository == image.repository if image.digest else bool(image.tag) and _same(name, image)


def _remapped(image: Reference, prefix: str, signed_prefix: str) -> Reference:
    name = image.repository
    if name != prefix and not name.startswith(prefix.rstrip("/") + "/"):
        return image
    other = parse(signed_prefix + name[len(prefix) :])
    return Reference(other.domain, other.path, image.tag, image.digest)
