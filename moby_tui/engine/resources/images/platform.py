"""Which image of several fits this machine (OCI image index, ``platform``)."""

from __future__ import annotations

import os

from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci

_ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "armhf": "arm",
    "armv6l": "arm",
    "i386": "386",
    "i686": "386",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
}
#: The systems and further architectures that Go knows, as containerd's ``platforms.Parse`` has them.
_SYSTEMS = frozenset(
    {
        *(
            "aix",
            "android",
            "darwin",
            "dragonfly",
            "freebsd",
            "hurd",
            "illumos",
            "ios",
            "js",
            "linux",
            "nacl",
            "netbsd",
            "openbsd",
        ),
        *("plan9", "solaris", "windows", "zos"),
    }
)
_FURTHER_ARCHITECTURES = frozenset(
    {
        *("386", "amd64p32", "arm", "armbe", "arm64be", "loong64", "mips", "mipsle", "mips64", "mips64le", "mips64p32"),
        *("mips64p32le", "ppc", "ppc64", "riscv", "s390", "sparc", "sparc64", "wasm"),
    }
)
_VARIANTS = {"aarch64": "v8", "arm64": "v8", "armv7l": "v7", "armhf": "v7", "armv6l": "v6"}
#: What a 32-bit ARM machine runs, best first.
_ARM_VARIANTS = ["v8", "v7", "v6", "v5"]


def host() -> oci.Platform:
    machine = os.uname().machine
    return oci.Platform(os="linux", architecture=_ARCHITECTURES.get(machine, machine), variant=_VARIANTS.get(machine, ""))


def parse(text: str) -> oci.Platform:
    """``os/architecture[/variant]`` or one of the first two alone; empty is this machine. Raises ``InvalidArgument``."""
    if not text:
        return host()
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(parts):
        raise InvalidArgument(f'"{text[:80]}": cannot parse platform specifier: invalid argument')
    here = host()
    if len(parts) == 1:
        if parts[0] in _ARCHITECTURES or parts[0] in _FURTHER_ARCHITECTURES:
            machine = parts[0]
            return oci.Platform(os="linux", architecture=_ARCHITECTURES.get(machine, machine), variant=_VARIANTS.get(machine, ""))
        if parts[0] not in _SYSTEMS:
            raise InvalidArgument(f'"{text[:80]}": unknown operating system or architecture: invalid argument')
        return oci.Platform(os=parts[0], architecture=here.architecture, variant=here.variant)
    system, machine, variant = parts[0], parts[1], parts[2] if len(parts) == 3 else _VARIANTS.get(parts[1], "")
    return oci.Platform(os=system, architecture=_ARCHITECTURES.get(machine, machine), variant=variant)


def text(platform: oci.Platform) -> str:
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)


def runs(wanted: oci.Platform, found: oci.Platform) -> bool:
    """Whether an image built for ``found`` runs where ``wanted`` is asked for."""
    return _rank(wanted, found) is not None


def choose(wanted: oci.Platform, descriptors: list[oci.Descriptor]) -> oci.Descriptor | None:
    """The best of an index, or None. The first of equals counts, as in the index."""
    ranked = [(rank, item) for item in descriptors if item.platform and (rank := _rank(wanted, item.platform)) is not None]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _rank(wanted: oci.Platform, found: oci.Platform) -> int | None:
    """How well a platform fits: 0 is best, None does not run."""
    if (wanted.os, wanted.architecture) != (found.os, found.architecture):
        return None
    if wanted.architecture != "arm":
        return int(_plain(wanted) != _plain(found)) if _plain(found) in ("", _plain(wanted)) else None
    variant = found.variant or "v7"
    below = _ARM_VARIANTS[_ARM_VARIANTS.index(wanted.variant) :] if wanted.variant in _ARM_VARIANTS else _ARM_VARIANTS[1:]
    return below.index(variant) if variant in below else None


def _plain(platform: oci.Platform) -> str:
    """The platform's variant; empty if it is the default of the architecture."""
    return "" if (platform.architecture, platform.variant) in (("arm64", "v8"), ("amd64", "v1")) else platform.variant
