"""Descriptors that travel beside a message (unix(7), SCM_RIGHTS), each under a name that the message carries.

The kernel passes an array of descriptors and no names. The message says what each one is, in order, so that neither side counts positions.
"""

from __future__ import annotations

from collections.abc import Iterable

from moby_tui.engine.protocol.message import MalformedMessage


class Descriptors:
    """Open descriptors by name. They belong to whoever holds this object until they are sent or taken out."""

    def __init__(self) -> None:
        self._named: list[tuple[str, int]] = []

    @classmethod
    def received(cls, names: list[str], descriptors: list[int]) -> Descriptors:
        """What came beside a message that names them. Raises ``MalformedMessage`` if there are more names than descriptors, or fewer."""
        if len(names) != len(descriptors):
            raise MalformedMessage(f"{len(names)} descriptors are named and {len(descriptors)} were received")
        received = cls()
        received._named = list(zip(names, descriptors, strict=True))
        return received

    def add(self, name: str, descriptor: int) -> None:
        self._named.append((name, descriptor))

    def add_all(self, name: str, descriptors: Iterable[int]) -> None:
        """Several of one name, in their order."""
        self._named += [(name, descriptor) for descriptor in descriptors]

    @property
    def names(self) -> list[str]:
        """For the message: what the descriptors are, in the order in which they are sent."""
        return [name for name, _ in self._named]

    @property
    def numbers(self) -> list[int]:
        return [descriptor for _, descriptor in self._named]

    def take(self, name: str) -> int:
        """The descriptor of this name, from now on the caller's. Raises ``MalformedMessage`` if there is none."""
        for entry in self._named:
            if entry[0] == name:
                self._named.remove(entry)
                return entry[1]
        raise MalformedMessage(f"descriptor {name} is missing")

    def take_any(self, name: str) -> int:
        """The same where there need not be one: -1 then."""
        return self.take(name) if name in self.names else -1

    def take_all(self, name: str) -> list[int]:
        """The descriptors of this name, in their order."""
        taken = [number for entry, number in self._named if entry == name]
        self._named = [entry for entry in self._named if entry[0] != name]
        return taken

    def take_rest(self) -> list[int]:
        """Those that nobody has taken, also under names that a later version may use."""
        taken = self.numbers
        self._named = []
        return taken

    def take_below(self, prefix: str) -> dict[str, int]:
        """The descriptors whose names begin with ``prefix``, by the rest of their names."""
        taken = {name.removeprefix(prefix): number for name, number in self._named if name.startswith(prefix)}
        self._named = [entry for entry in self._named if not entry[0].startswith(prefix)]
        return taken
