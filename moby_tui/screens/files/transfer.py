"""A pull, push or load as it goes on: one line for each layer, and what is said beside."""

from __future__ import annotations

from dataclasses import dataclass

from moby_tui.schema.image import Progress
from moby_tui.screens import text

#: Lines without a layer that are kept.
_SAID = 200
_OVER = ("complete", "exists", "pushed", "mounted")


@dataclass(slots=True)
class Part:
    """One layer. ``total`` is 0 while it is unknown; bytes."""

    id: str
    status: str = ""
    current: int = 0
    total: int = 0

    @property
    def over(self) -> bool:
        return any(word in self.status.lower() for word in _OVER)

    @property
    def share(self) -> float | None:
        """From 0 to 1; None if nobody knows."""
        if self.over:
            return 1.0
        return min(self.current / self.total, 1.0) if self.total > 0 else None


class Transfer:
    """``parts`` in the order in which they were named, ``said`` the other lines; all cleaned."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.said: list[str] = []

    def take(self, step: Progress) -> None:
        """Takes the next line of the engine's."""
        status = text.clean(step.status or step.stream or "")
        if step.id and not status.lower().startswith(("pulling from", "digest")):
            part = self.parts.setdefault(text.clean(step.id), Part(text.clean(step.id)))
            part.status = status or part.status
            if step.progress_detail and step.progress_detail.current:
                part.current = step.progress_detail.current
                part.total = step.progress_detail.total or part.total
        elif status:
            self.said = [*self.said[-_SAID:], status]

    @property
    def bytes(self) -> tuple[int, int]:
        """What has come of the layers whose size is known, and what they have."""
        known = [part for part in self.parts.values() if part.total]
        return sum(part.total if part.over else part.current for part in known), sum(part.total for part in known)
