"""The texts of searches and filters that a person has saved, and those that were used since the dashboard began."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

#: Texts of each kind that are kept.
MOST = 50

#: Writes the saved texts of a kind into the preferences.
Keep = Callable[[str, Sequence[str]], None]


class Searches:
    """By kind, since what is typed for one is no language for the other: ``logs``, ``lists``."""

    def __init__(self, saved: Mapping[str, Sequence[str]], keep: Keep) -> None:
        self._saved = {kind: list(texts) for kind, texts in saved.items()}
        self._used: dict[str, list[str]] = {}
        self._keep = keep

    def is_saved(self, kind: str, text: str) -> bool:
        return text in self._saved.get(kind, ())

    def turn(self, kind: str, text: str) -> bool:
        """Saves a text, or forgets it if it is saved. Returns whether it is saved now."""
        before = self._saved.get(kind, [])
        is_saved = text not in before
        self._saved[kind] = [text, *before][:MOST] if is_saved else [one for one in before if one != text]
        self._keep(kind, self._saved[kind])
        return is_saved

    def use(self, kind: str, text: str) -> None:
        """Remembers a text that was sent, until the dashboard ends."""
        self._used[kind] = [text, *(one for one in self._used.get(kind, ()) if one != text)][:MOST]

    def offered(self, kind: str) -> list[str]:
        """The saved texts, the newest first, then those that were used."""
        return list(dict.fromkeys([*self._saved.get(kind, ()), *self._used.get(kind, ())]))
