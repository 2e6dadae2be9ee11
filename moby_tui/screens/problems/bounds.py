"""Which figures are above the bounds of alert rules, and for how long: no client, no clock; ``now`` is seconds of any steady clock."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.alert_rules import DISK, RESTARTS, RESTARTS_WITHIN, AlertRule
from moby_tui.screens.problems.alerts import Alert

#: Starts remembered of one container.
STARTS = 1000


class Bounds:
    """Tells of each rule and container once that a figure is above the bound; again after it was not."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._rules = rules
        #: since when it is above, and whether that was told, by the rule's place and the container's id
        self._since: dict[tuple[int, str], float] = {}
        self._told: set[tuple[int, str]] = set()

    def take(self, figure: str, container: str, value: float, now: float) -> list[AlertRule]:
        """The rules that a new value meets. Whether they are for this container the caller knows."""
        met = []
        for place, rule in enumerate(self._rules):
            if rule.on != figure:
                continue
            key = (place, container)
            if value <= rule.above:
                self._since.pop(key, None)
                self._told.discard(key)
            elif now - self._since.setdefault(key, now) >= rule.seconds and key not in self._told:
                self._told.add(key)
                met.append(rule)
        return met

    def keep(self, containers: set[str]) -> None:
        """Forgets the containers that do not run any more. What has none has an empty id."""
        for key in [key for key in self._since if key[1] and key[1] not in containers]:
            del self._since[key]
            self._told.discard(key)


class Restarts:
    """Counts the starts of containers that ran before, of rules for restarts."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._rules = [rule for rule in rules if rule.on == RESTARTS]
        self._told: set[tuple[int, str]] = set()
        self._ended: set[str] = set()
        self._starts: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=STARTS))

    def take(self, event: Event) -> list[tuple[AlertRule, Alert]]:
        """The rules that an event meets, each with what it says."""
        identifier, now = event.actor.id, event.time_nano / 1e9
        if not self._rules or event.type != "container":
            return []
        if event.action == "die":
            self._ended.add(identifier)
        elif event.action == "destroy":
            self._ended.discard(identifier)
            self._starts.pop(identifier, None)
        elif event.action == "start" and identifier in self._ended:
            self._starts[identifier].append(now)
            return self._met(event, self._starts[identifier], now)
        return []

    def _met(self, event: Event, starts: deque[float], now: float) -> list[tuple[AlertRule, Alert]]:
        name = text.clean(event.actor.attributes.get("name", event.actor.id[:12]))
        met = []
        for place, rule in enumerate(self._rules):
            within, key = rule.seconds or RESTARTS_WITHIN, (place, event.actor.id)
            count = sum(now - start < within for start in starts)
            if count <= rule.above:
                self._told.discard(key)
            elif key not in self._told and rule.fits(name, event.actor.attributes):
                self._told.add(key)
                message = f"{name} was started again {count} times within {text.age(within)}"
                met.append((rule, Alert(RESTARTS, event.actor.id, name, message, now)))
        return met


def describe(figure: str, name: str, value: float, rule: AlertRule) -> str:
    """``web uses 93 % of its memory limit, more than 90 % for 30s``."""
    what = {"cpu": "of a CPU", "memory": "of the memory it may have", DISK: "of the disk of the engine's data root"}[figure]
    lasting = f" for {text.age(rule.seconds)}" if rule.seconds >= 1 else ""
    subject = f"{name} uses" if name else "in use is"
    return f"{subject} {value:.0f} % {what}, more than {rule.above:g} %{lasting}"
