"""What a monitor says of an exec: a file beside the exec's record, replaced when it begins and when it has ended."""

from __future__ import annotations

from moby_tui.engine.protocol.message import Json, Message


class ExecutionState(Message):
    """``exit_code`` is None as long as it runs, and where it has not begun."""

    running: bool = False
    pid: int = 0
    exit_code: int | None = None

    def values(self) -> Json:
        # earlier versions expect the key, also with null
        return {**super().values(), "exit_code": self.exit_code}
