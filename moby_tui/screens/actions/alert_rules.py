"""A person's alert rules, from the preferences: what is watched for, in which containers, and what is done then.

``{"on": "die", "container": "web*", "exit_codes": [1, 137], "bell": true}``. ``on`` is an event of containers (``die``, ``oom``, ``start``,
``stop``, ``restart``, ``destroy``, ``unhealthy``, ``healthy``), ``problem``: whatever the page of the problems finds anew, a figure that is
above a bound (``cpu``, ``memory``, ``disk``, ``restarts``), or ``log``: a line that an expression matches.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

EVENTS = ("die", "oom", "start", "stop", "restart", "destroy", "unhealthy", "healthy")
PROBLEM = "problem"
LOG = "log"
DISK = "disk"
RESTARTS = "restarts"
#: Figures of containers that are measured.
MEASURED = ("cpu", "memory")
FIGURES = (*MEASURED, DISK, RESTARTS)
#: Restarts are counted in so many seconds where the rule does not say.
RESTARTS_WITHIN = 600.0
ALL = (*EVENTS, PROBLEM, *FIGURES, LOG)
_PROJECT = "com.docker.compose.project"


class AlertRule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``container`` and ``project`` (of compose) are patterns for names (``*``, ``?``, ``[ab]``); ``label`` is ``KEY`` or ``KEY=VALUE``.

    ``exit_codes`` are those of ``die`` that count, none: all. ``above`` is the bound of a figure: percent of one CPU, of the container's
    memory limit, of the file system of the engine's data root; a number of restarts. It tells what is above it for ``seconds``, or of
    restarts what is above it within them. ``match`` is the expression for lines of logs (``expressions.compile_for_lines``).

    ``show`` tells it in the dashboard, ``bell`` rings the terminal, ``desktop`` asks the terminal for a desktop notification (OSC 9 and
    777), ``command`` is a program that runs with the alert in its environment, ``webhook`` an address to which it is posted as JSON.
    """

    on: str
    container: str = "*"
    project: str = ""
    label: str = ""
    above: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0
    match: str = ""
    exit_codes: list[int] = []
    show: bool = True
    bell: bool = False
    desktop: bool = False
    command: str = ""
    webhook: str = ""

    def fits(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the rule is for a container of this name and these labels."""
        key, equals, value = self.label.partition("=")
        if self.label and not (labels.get(key) == value if equals else key in labels):
            return False
        if self.project and not (_PROJECT in labels and fnmatchcase(labels[_PROJECT], self.project)):
            return False
        return fnmatchcase(name, self.container)

    @property
    def is_for_all(self) -> bool:
        """True if the rule also applies to what belongs to no container."""
        return self.container == "*" and not self.project and not self.label


def check(rules: Iterable[AlertRule]) -> list[str]:
    """What is wrong with the rules, a line each."""
    mistakes = []
    for number, rule in enumerate(rules, 1):
        if rule.on not in ALL:
            mistakes.append(f"alert {number}: there is nothing called {rule.on}; give one of {', '.join(ALL)}")
        if rule.on in FIGURES and not rule.above and rule.on != RESTARTS:
            mistakes.append(f"alert {number}: {rule.on} needs a bound: above, in percent")
        if rule.on == DISK and not rule.is_for_all:
            mistakes.append(f"alert {number}: the disk belongs to no container")
        if (rule.above or rule.seconds) and rule.on not in FIGURES:
            mistakes.append(f"alert {number}: only figures ({', '.join(FIGURES)}) have above and seconds")
        if bool(rule.match) is not (rule.on == LOG):
            mistakes.append(f"alert {number}: match is the expression for lines of a log, which {LOG} needs and nothing else has")
        if rule.exit_codes and rule.on != "die":
            mistakes.append(f"alert {number}: only die has an exit code")
        if rule.webhook and urlsplit(rule.webhook).scheme not in ("http", "https"):
            mistakes.append(f"alert {number}: the webhook {rule.webhook} is no address that begins with http:// or https://")
        try:
            shlex.split(rule.command)
        except ValueError:
            mistakes.append(f"alert {number}: a quote in its command is not closed")
    return mistakes
