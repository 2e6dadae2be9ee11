"""``# check=skip=RULE,RULE;error=true;experimental=RULE``: which rules are checked, and whether a finding fails the build.

https://docs.docker.com/reference/dockerfile/#check
"""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.engine.resources.builder.checks.finding import EXPERIMENTAL, Finding
from moby_tui.engine.resources.dockerfile.parser import nearest
from moby_tui.errors import InvalidArgument

#: The build argument that is used instead of the directive.
ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK"
_OPTIONS = ("skip", "error", "experimental")
_SWITCH = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
_ALL = "all"


@dataclass(frozen=True)
class Directive:
    """Names of rules in lower case; ``all`` means every rule."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False

    def counts(self, found: Finding) -> bool:
        rule = found.rule.lower()
        applies = found.rule not in EXPERIMENTAL or not self.experimental.isdisjoint((rule, _ALL))
        return applies and self.skip.isdisjoint((rule, _ALL))


def read(text: str) -> Directive:
    """Raises ``InvalidArgument``."""
    values: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name not in _OPTIONS:
            raise InvalidArgument(f"invalid check option {part[:80]!r}{nearest(name, _OPTIONS)}; write skip=RULE,RULE;error=true")
        values[name] = value.strip().lower()
    error = values.get("error", "false")
    if error not in _SWITCH:
        raise InvalidArgument(f"invalid check option error={error[:40]!r}: it is true or false")
    return Directive(_rules(values.get("skip", "")), _rules(values.get("experimental", "")), _SWITCH[error])


def _rules(text: str) -> frozenset[str]:
    return frozenset(filter(None, (rule.strip() for rule in text.split(","))))
