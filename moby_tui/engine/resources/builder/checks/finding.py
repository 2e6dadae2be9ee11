"""A finding of a check in a Dockerfile, and its text for the user: https://docs.docker.com/reference/build-checks/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moby_tui.engine.resources.dockerfile.parser import excerpt

#: Experimental rules, which run only if the directive names them.
EXPERIMENTAL = frozenset({"CopyIgnoredFile", "InvalidDefinitionDescription"})
#: Each rule's description, as `docker build --check` shows it (moby/buildkit, frontend/dockerfile/linter).
DESCRIPTIONS = {
    "StageNameCasing": "Stage names should be lowercase",
    "FromAsCasing": "The 'as' keyword should match the case of the 'from' keyword",
    "NoEmptyContinuation": "Empty continuation lines will become errors in a future release",
    "ConsistentInstructionCasing": ("All commands within the Dockerfile should use the same casing (either upper or lower)"),
    "DuplicateStageName": "Stage names should be unique",
    "ReservedStageName": "Reserved words should not be used as stage names",
    "JSONArgsRecommended": ("JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals"),
    "MaintainerDeprecated": "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    "UndefinedArgInFrom": "FROM command must use declared ARGs",
    "WorkdirRelativePath": (
        "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes"
    ),
    "UndefinedVar": "Variables should be defined before their use",
    "MultipleInstructionsDisallowed": "Multiple instructions of the same type should not be used in the same stage",
    "LegacyKeyValueFormat": "Legacy key/value format with whitespace separator should not be used",
    "RedundantTargetPlatform": (
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"
    ),
    "SecretsUsedInArgOrEnv": "Sensitive data should not be used in the ARG or ENV commands",
    "InvalidDefaultArgInFrom": "Default value for global ARG results in an empty or invalid base image name",
    "FromPlatformFlagConstDisallowed": "FROM --platform flag should not use a constant value",
    "CopyIgnoredFile": "Attempting to Copy file that is excluded by .dockerignore",
    "InvalidDefinitionDescription": (
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended "
        "to be a description comment, add an empty line or comment between the instruction and the comment."
    ),
    "ExposeProtoCasing": "Protocol in EXPOSE instruction should be lowercase",
    "ExposeInvalidFormat": (
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release"
    ),
}
_MOST = 100
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, order=True)
class Finding:
    """``rule`` is BuildKit's name for it."""

    line: int
    rule: str
    text: str

    @property
    def description(self) -> str:
        """What the rule is for, in BuildKit's words."""
        return DESCRIPTIONS.get(self.rule, "")

    @property
    def address(self) -> str:
        """The web address of the rule's description."""
        return f"https://docs.docker.com/go/dockerfile/rule/{_WORDS.sub('-', self.rule).lower()}/"


Findings = Iterator[Finding]

#: The rules by the pass in which BuildKit finds what breaks them; all others belong to the last pass.
_PASSES = (
    ("NoEmptyContinuation",),
    ("StageNameCasing", "FromAsCasing", "ReservedStageName", "MaintainerDeprecated"),
    ("DuplicateStageName", "ConsistentInstructionCasing"),
    ("InvalidDefaultArgInFrom", "UndefinedArgInFrom"),
)


def place(finding: Finding) -> tuple[int, int, int]:
    """For sorting as BuildKit tells them: by pass, then by line."""
    number = next((number for number, rules in enumerate(_PASSES) if finding.rule in rules), len(_PASSES))
    rules = _PASSES[number] if number < len(_PASSES) else ()
    return number, finding.line, rules.index(finding.rule) if rules else 0


def shown(findings: list[Finding], name: str, text: bytes) -> str:
    """The findings as text, each with its line and the lines around it; at most a number of them."""
    ordered = sorted(findings, key=lambda finding: finding.line)
    each = [
        f"\nWARNING: {finding.rule} - {finding.address}\n{finding.text}\n\n{excerpt(name, text, finding.line)}"
        for finding in ordered[:_MOST]
    ]
    more = len(findings) - _MOST
    return "".join([*each, f"\n{more} more warnings\n" if more > 0 else ""])


def counted(findings: list[Finding]) -> str:
    """``1 warning``, ``2 warnings``."""
    return f"{len(findings)} warning{'' if len(findings) == 1 else 's'}"


#: The rules that a build tells of the stages which it makes alone. A check tells them of all.
STAGE_RULES = frozenset(
    (
        "CopyIgnoredFile",
        "ExposeInvalidFormat",
        "ExposeProtoCasing",
        "JSONArgsRecommended",
        "LegacyKeyValueFormat",
        "MultipleInstructionsDisallowed",
        "SecretsUsedInArgOrEnv",
        "UndefinedVar",
        "WorkdirRelativePath",
    )
)
