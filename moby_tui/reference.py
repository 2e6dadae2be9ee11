"""Image references, read as Docker reads them.

A *familiar* reference is what people write (``alpine``); a *canonical* one names everything
(``docker.io/library/alpine:latest``).
Grammar: https://github.com/distribution/reference (reference.go).
"""

from __future__ import annotations

import re

import msgspec

from moby_tui.errors import InvalidArgument

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_OFFICIAL = "library"
_LEGACY_DOMAIN = "index.docker.io"
_LONGEST_PATH = 255

_DIGEST_ALGORITHM = "sha256"

_DIGEST = r"sha256:[0-9a-f]{64}"
_IMAGE_ID = r"[0-9a-f]{64}"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"


def hex_of(digest: str) -> str:
    """The hexadecimal half of a digest. Raises ``InvalidArgument`` if it is no digest: it would become a path."""
    if not is_digest(digest):
        raise InvalidArgument(f"invalid digest {digest[:80]!r}; only sha256 digests are known")
    return digest.removeprefix("sha256:")


def is_digest(text: str) -> bool:
    """Whether the text is ``sha256:`` and 64 lower-case hexadecimal digits: the only digests that ever become a path."""
    return re.fullmatch(_DIGEST, text) is not None


class Reference(msgspec.Struct, frozen=True):
    """A repository with, at most, a tag and a digest; make it with ``parse``."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """The canonical name: ``docker.io/library/alpine``."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """The name as people write it: ``alpine``."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        first, _, rest = self.path.partition("/")
        return rest if first == _OFFICIAL and rest and "/" not in rest else self.path

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def canonical(self) -> str:
        return self.repository + self._suffix

    @property
    def familiar(self) -> str:
        return self.familiar_repository + self._suffix

    @property
    def key(self) -> str:
        """How the store knows it: by digest if there is one, else by tag."""
        return f"{self.repository}@{self.digest}" if self.digest else self.canonical

    def tagged(self) -> Reference:
        """Itself, with ``latest`` if it has neither tag nor digest."""
        return self if self.tag or self.digest else msgspec.structs.replace(self, tag=DEFAULT_TAG)

    def at(self, digest: str) -> Reference:
        """The same repository, by this digest."""
        return msgspec.structs.replace(self, tag="", digest=digest)


def parse(text: str) -> Reference:
    """Reads a reference; raises ``InvalidArgument`` with Docker's texts."""
    if re.fullmatch(_IMAGE_ID, text):
        raise InvalidArgument(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    _require_lower_case(text)
    name, _, digest = text.partition("@")
    if "@" in text and not is_digest(digest):
        raise InvalidArgument("invalid reference format")
    name, tag = _split_tag(name)
    domain, path = _split_domain(name)
    if not re.fullmatch(_PATH, path):
        raise InvalidArgument("invalid reference format")
    if (domain != DEFAULT_DOMAIN and not re.fullmatch(_DOMAIN, domain)) or (tag is not None and not re.fullmatch(_TAG, tag)):
        raise InvalidArgument("invalid reference format")
    if len(path) > _LONGEST_PATH:
        raise InvalidArgument(f"invalid reference format: repository name must not be more than {_LONGEST_PATH} characters")
    return Reference(domain, path, tag or "", digest)


def parse_tag(text: str) -> Reference:
    """Reads a name that somebody here gives to an image: REPOSITORY[:TAG].

    Raises ``InvalidArgument`` for a digest, which only a registry can vouch for: whoever runs an image by digest would otherwise run what an
    archive claims to be it; and for the repository ``sha256``, whose tags are written as ids are.
    """
    reference = parse(text).tagged()
    if reference.digest:
        raise InvalidArgument(
            f"invalid tag {text[:200]!r}: refusing to create a tag with a digest reference; name it REPOSITORY[:TAG]"
        )
    if reference.familiar_repository == _DIGEST_ALGORITHM:
        raise InvalidArgument(
            f"invalid tag {text[:200]!r}: refusing to create an ambiguous tag using digest algorithm as name; take another name"
        )
    return reference


def _require_lower_case(text: str) -> None:
    """As in Go: before anything else is looked at, up to the first colon behind the domain."""
    repository = _split_domain(text)[1].partition(":")[0]
    if repository.lower() != repository and repository.isprintable():
        raise InvalidArgument(f"invalid reference format: repository name ({repository}) must be lowercase")


def _split_tag(name: str) -> tuple[str, str | None]:
    """A colon begins a tag unless a slash follows it: then it began a port."""
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, None)


def _split_domain(name: str) -> tuple[str, str]:
    """The first component is a registry if it could not be a user: it has a dot, a port or a capital, or is localhost."""
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        domain, path = DEFAULT_DOMAIN, name
    else:
        domain, path = first, rest
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"{_OFFICIAL}/{path}"
    return domain, path
