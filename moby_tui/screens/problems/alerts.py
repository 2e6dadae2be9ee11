"""What meets a person's alert rules: events of containers, new problems, figures above a bound, lines of logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.alert_rules import PROBLEM, AlertRule
from moby_tui.screens.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule has seen. ``when`` in Unix seconds; texts are clean. ``kind`` tells one alert of a rule from another of the same container:
    the same is not told again for a while.
    """

    on: str
    container: str
    name: str
    what: str
    when: float
    kind: str = ""

    def environment(self) -> dict[str, str]:
        """The variables that a rule's program gets."""
        return {
            "MOBY_ALERT": self.on,
            "MOBY_ALERT_CONTAINER": self.name,
            "MOBY_ALERT_ID": self.container,
            "MOBY_ALERT_TEXT": self.what,
            "MOBY_ALERT_TIME": f"{self.when:.3f}",
        }

    def document(self) -> bytes:
        """What is posted to a rule's webhook."""
        return msgspec.json.encode(
            {"alert": self.on, "container": self.name, "id": self.container, "text": self.what, "time": self.when}
        )


def of_event(rules: Iterable[AlertRule], event: Event) -> list[tuple[AlertRule, Alert]]:
    """The rules that an event meets, each with what it says."""
    if event.type != "container":
        return []
    action, _, state = event.action.partition(": ")
    on = state if action == "health_status" else action
    attributes = event.actor.attributes
    name, code = text.clean(attributes.get("name", event.actor.id[:12])), attributes.get("exitCode", "")
    met = []
    for rule in rules:
        if rule.on != on or not rule.fits(name, attributes):
            continue
        if rule.exit_codes and code not in map(str, rule.exit_codes):
            continue
        message = _describe(name, on, text.clean(code))
        met.append((rule, Alert(on, event.actor.id, name, message, event.time_nano / 1e9, message)))
    return met


def of_problems(
    rules: Iterable[AlertRule], found: Iterable[Problem], labels_of: Callable[[str], Mapping[str, str]]
) -> list[tuple[AlertRule, Alert]]:
    """The rules that new problems meet; those of the host meet only rules for all. ``labels_of`` a container, by its id."""
    wanted = [rule for rule in rules if rule.on == PROBLEM]
    return [
        (rule, Alert(PROBLEM, one.container, one.name, f"{one.name}: {one.title}", one.since, one.title))
        for one in found
        for rule in wanted
        if (rule.fits(one.name, labels_of(one.container)) if one.container else rule.is_for_all)
    ]


def _describe(name: str, on: str, code: str) -> str:
    words = {
        "die": f"has ended with exit code {code}" if code else "has ended",
        "oom": "has no memory left",
        "destroy": "was removed",
        "unhealthy": "is unhealthy",
        "healthy": "is healthy again",
    }
    return f"{name} {words.get(on, f'did {on}')}"
