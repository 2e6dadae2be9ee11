"""A place in a program where the child waits until another process has done its part."""

from __future__ import annotations

import ctypes
import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.runtime.plan.program import Program


class Gate:
    """The child tells that it has come, and goes on when a byte is written to ``go``; at the end of that pipe it ends itself."""

    def __init__(self, wait: int = -1, go: int = -1) -> None:
        """``wait``: where the child reads, and ``go``: where it is let go; a pipe of the gate's own where they are not given."""
        self.wait, self.go = (wait, go) if wait >= 0 else os.pipe2(os.O_CLOEXEC)
        #: can be read as soon as ``arrived`` has an answer
        self.arrival, self._arrive = os.pipe2(os.O_CLOEXEC)

    def child_ends(self) -> list[int]:
        """The descriptors that the child needs until it has passed."""
        return [fd for fd in (self.wait, self.go, self._arrive) if fd >= 0]

    def add_to(self, program: Program) -> None:
        byte = ctypes.create_string_buffer(b"x", 1)
        address = program.keep(byte)
        wait, go, arrive = self.wait, self.go, self._arrive

        def pause() -> int:
            # a pipe's end is seen only if nobody can write any more: not even we
            if go >= 0:
                calls.close(go)
            calls.write(arrive, address, 1)
            calls.close(arrive)
            return 0 if calls.read(wait, address, 1) == 1 else calls.exit_group(1)

        program.add("wait to be let go", pause)

    def child_is_made(self) -> None:
        """Closes the child's ends, once it has them."""
        os.close(self._arrive)
        os.close(self.wait)

    def arrived(self) -> bool:
        """Waits until the child has come here; False if it has ended before."""
        return os.read(self.arrival, 1) != b""

    def let_go(self) -> None:
        os.write(self.go, b"g")

    def close(self) -> None:
        os.close(self.arrival)
        if self.go >= 0:
            os.close(self.go)


def wait_for(program: Program, go: int) -> None:
    """The child waits for a byte on the pipe ``go``; at the end of that pipe it ends itself."""
    byte = ctypes.create_string_buffer(1)
    address = program.keep(byte)

    def wait() -> int:
        # 0 is the end of the pipe: the parent has died, and nobody will ever let us go
        return 0 if calls.read(go, address, 1) == 1 else calls.exit_group(1)

    program.add("wait for the monitor", wait)
