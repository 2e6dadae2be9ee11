"""A person's alert rules, from the preferences: what is watched for, in which containers, and what is done then.

``{"on": "die", "container": "web*", "exit_codes": [1, 137], "bell": true}``. ``on`` is an event of containers (``die``, ``oom``, ``start``,
``stop``, ``restart``, ``destroy``, ``unhealthy``, ``healthy``) or ``problem``: whatever the page of the problems finds anew.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

EVENTS = ("die", "oom", "start", "stop", "restart", "destroy", "unhealthy", "healthy")
PROBLEM = "problem"


class AlertRule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``container`` is a pattern for names (``*``, ``?``, ``[ab]``); ``exit_codes`` are those of ``die`` that count, none: all.

    ``show`` tells it in the dashboard, ``bell`` rings the terminal, ``desktop`` asks the terminal for a desktop notification (OSC 9 and
    777), ``command`` is a program that runs with the alert in its environment, ``webhook`` an address to which it is posted as JSON.
    """

    on: str
    container: str = "*"
    exit_codes: list[int] = []
    show: bool = True
    bell: bool = False
    desktop: bool = False
    command: str = ""
    webhook: str = ""


def check(rules: Iterable[AlertRule]) -> list[str]:
    """What is wrong with the rules, a line each."""
    told = []
    for number, rule in enumerate(rules, 1):
        if rule.on not in (*EVENTS, PROBLEM):
            told.append(f"alert {number}: there is nothing called {rule.on}; give one of {', '.join((*EVENTS, PROBLEM))}")
        if rule.exit_codes and rule.on != "die":
            told.append(f"alert {number}: only die has an exit code")
        if rule.webhook and urlsplit(rule.webhook).scheme not in ("http", "https"):
            told.append(f"alert {number}: the webhook {rule.webhook} is no address that begins with http:// or https://")
        try:
            shlex.split(rule.command)
        except ValueError:
            told.append(f"alert {number}: a quote in its command is not closed")
    return told
