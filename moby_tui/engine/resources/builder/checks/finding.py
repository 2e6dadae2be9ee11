"""What a check finds in a Dockerfile, and how it is told: https://docs.docker.com/reference/build-checks/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moby_tui.engine.resources.dockerfile.parser import excerpt

#: Rules that are asked for by name only.
EXPERIMENTAL = frozenset({"CopyIgnoredFile", "InvalidDefinitionDescription"})
_MOST = 100
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, order=True)
class Finding:
    """``rule`` is BuildKit's name for it."""

    line: int
    rule: str
    text: str

    @property
    def address(self) -> str:
        """Where the rule is explained."""
        return f"https://docs.docker.com/go/dockerfile/rule/{_WORDS.sub('-', self.rule).lower()}/"


Findings = Iterator[Finding]


def shown(findings: list[Finding], name: str, text: bytes) -> str:
    """Each with its line and that line's neighbours; of very many the first."""
    each = [
        f"\nWARNING: {found.rule} - {found.address}\n{found.text}\n\n{excerpt(name, text, found.line)}"
        for found in findings[:_MOST]
    ]
    more = len(findings) - _MOST
    return "".join([*each, f"\n{more} more warnings\n" if more > 0 else ""])


def counted(findings: list[Finding]) -> str:
    return f"{len(findings)} warning{'' if len(findings) == 1 else 's'}"
