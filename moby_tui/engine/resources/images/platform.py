"""Which image of several fits this machine (OCI image index, ``platform``)."""

from __future__ import annotations

import json
import os
import re

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
_SYSTEM_NAMES = {"macos": "darwin"}
_PART = r"[A-Za-z0-9_.-]+"
_OS_AND_VERSION = r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?"
_PART_TEXT, _OS_TEXT = f"^{_PART}$", f"^{_OS_AND_VERSION}$"
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
    parts = _parts(text)
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


def _parts(text: str) -> list[str]:
    """One to three parts in lower case. Raises ``InvalidArgument`` in the words of containerd's ``platforms.Parse``."""
    system, *others = parts = text.split("/", 3)
    if "*" in text:
        raise InvalidArgument(f"{_quoted(text)}: wildcards not yet supported: invalid argument")
    if not re.fullmatch(_OS_AND_VERSION, system):
        raise InvalidArgument(
            f"{_quoted(system)} is an invalid OS component of {_quoted(text)}: OSAndVersion specifier component must match "
            f"{_quoted(_OS_TEXT)}: invalid argument"
        )
    for part in others:
        if not re.fullmatch(_PART, part):
            raise InvalidArgument(
                f"{_quoted(part)} is an invalid component of {_quoted(text)}: platform specifier component must match "
                f"{_quoted(_PART_TEXT)}: invalid argument"
            )
    if len(parts) > 3:
        raise InvalidArgument(f"{_quoted(text)}: cannot parse platform specifier: invalid argument")
    system = system.partition("(")[0].lower()
    return [_SYSTEM_NAMES.get(system, system), *(part.lower() for part in others)]


def _quoted(text: str) -> str:
    return json.dumps(text[:200], ensure_ascii=False)


def text(platform: oci.Platform) -> str:
    """``os/architecture[/variant]``, without a variant that is the default of the architecture."""
    return "/".join(part for part in (platform.os, platform.architecture, _plain(platform)) if part)


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
