"""A finding of a check in a Dockerfile, and its text for the user: https://docs.docker.com/reference/build-checks/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moby_tui.engine.resources.dockerfile.parser import excerpt

#: Experimental rules, which run only if the directive names them.
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
        """The web address of the rule's description."""
        return f"https://docs.docker.com/go/dockerfile/rule/{_WORDS.sub('-', self.rule).lower()}/"


Findings = Iterator[Finding]


def shown(findings: list[Finding], name: str, text: bytes) -> str:
    """The findings as text, each with its line and the lines around it; at most a number of them."""
    each = [
        f"\nWARNING: {found.rule} - {found.address}\n{found.text}\n\n{excerpt(name, text, found.line)}"
        for found in findings[:_MOST]
    ]
    more = len(findings) - _MOST
    return "".join([*each, f"\n{more} more warnings\n" if more > 0 else ""])


def counted(findings: list[Finding]) -> str:
    return f"{len(findings)} warning{'' if len(findings) == 1 else 's'}"
