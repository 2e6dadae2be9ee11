"""A list of images, volumes or networks as the dashboard knows it: filled once, then kept by events. No widgets, no clock, no client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Generic, Protocol, TypeVar

from moby_tui.schema.event import Event
from moby_tui.screens.session.change import Change

#: Removals remembered.
REMEMBERED = 1_000


class Named(Protocol):
    """A row: ``id`` is what the engine knows it by, ``name`` what a person does."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def words(self) -> str:
        """What a filter looks in, in small letters."""
        ...


Summary = TypeVar("Summary")
R = TypeVar("R", bound=Named)


class ResourceModel(Generic[Summary, R]):
    """All rows by id. A subclass says which events concern it, and makes a row of what the engine lists."""

    #: The type of its events.
    kind: ClassVar[str]
    #: Actions after which the row is fetched, and actions that end it.
    changes: ClassVar[frozenset[str]]
    ends: ClassVar[frozenset[str]]

    def __init__(self) -> None:
        self._rows: dict[str, R] = {}
        # A list that was asked for before a removal may arrive after it.
        self._gone: dict[str, None] = {}

    def make(self, summary: Summary) -> R:
        """The row of one object; texts are cleaned."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._rows

    def get(self, identifier: str) -> R | None:
        return self._rows.get(identifier)

    def rows(self) -> Iterable[R]:
        """All rows, in no order."""
        return self._rows.values()

    def sorted(self, query: str = "") -> list[R]:
        """The rows that have all words of the query and none that stands after ``!``, by name; those without a name last."""
        rows = (row for row in self._rows.values() if matches(row.words, query))
        return sorted(rows, key=lambda row: (row.name.startswith("<"), row.name, row.id))

    def reset(self, summaries: Iterable[Summary]) -> None:
        """Takes a whole list in place of what was known."""
        self._rows = {row.id: row for row in map(self.make, summaries) if row.id not in self._gone}

    def merge(self, summaries: Iterable[Summary], asked: Iterable[str]) -> frozenset[str]:
        """Takes the rows that were asked for; one that did not come back is gone, another is not taken. Returns the ids touched."""
        asked = frozenset(asked)
        fresh = {row.id: row for row in map(self.make, summaries) if row.id in asked and row.id not in self._gone}
        for identifier in asked - fresh.keys():
            self._rows.pop(identifier, None)
        self._rows.update(fresh)
        return asked

    def apply(self, event: Event) -> Change:
        """Takes one event. Doing so twice, or late, does no harm: the row that is fetched then is the truth."""
        if event.type != self.kind:
            return Change()
        identifier, action = event.actor.id, event.action.partition(":")[0]
        if action in self.ends:
            self._gone[identifier] = None
            if len(self._gone) > REMEMBERED:
                del self._gone[next(iter(self._gone))]
            return Change(touched=frozenset({identifier})) if self._rows.pop(identifier, None) else Change()
        if action not in self.changes:
            return Change()
        self._gone.pop(identifier, None)
        return Change(stale=frozenset({identifier}))


def matches(words: str, query: str) -> bool:
    """Whether each word of the query is in ``words`` (small letters), and none that follows ``!``."""
    for word in query.lower().split():
        sought = word.removeprefix("!")
        if sought and (sought in words) is word.startswith("!"):
            return False
    return True
