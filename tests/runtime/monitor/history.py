"""What the journal of events tells of one container."""

from __future__ import annotations

import json
from pathlib import Path


def actions(roots: tuple[Path, Path], ident: str) -> list[str]:
    """The actions of a container, in their order."""
    events = []
    for segment in sorted((roots[0] / "events").iterdir()):
        if segment.suffix == ".jsonl":
            events += [json.loads(line) for line in segment.read_text().splitlines()]
    return [event["Action"] for event in events if event["Type"] == "container" and event["Actor"]["ID"] == ident]
