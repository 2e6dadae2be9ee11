"""A flat plan of system calls: laid out, validated and turned into C values before the fork, then only executed.

Once the child has entered the container's root, an import, a codec or a name-service library would be loaded from the image and run
with root's rights (CVE-2019-14271 was that). So running a program calls prepared functions with prepared arguments, and nothing
else. A failure is told as an errno and the step's name, which was encoded ahead (``protocol/report.py``), and put into words by the parent.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from moby_tui.engine.kernel import calls
from moby_tui.engine.protocol.report import encode_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: Its name in bytes, the call and its arguments, what takes the result, where to go on after an errno, and after success. A tuple,
    #: since every start makes a hundred of them.
    Step = tuple[bytes, Callable[..., int], tuple[object, ...], "Slot | None", dict[int, "Label | None"], "Label | None"]

#: A descriptor that an earlier step of the same program will have opened.
Slot = ctypes.c_int
_NOWHERE: dict[int, Label | None] = {}


class Label:
    """A place in the program to jump to, known only when it is reached."""

    def __init__(self) -> None:
        self.target = -1


class Program:
    """Steps in the order of their running."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        #: the pipe on which a failure is told: open to the last, closed by execve
        self.report = Slot(-1)
        # ctypes keeps no reference to what a pointer points at
        self._kept: list[object] = []

    def add(
        self,
        name: str,
        call: Callable[..., int],
        *arguments: object,
        out: Slot | None = None,
        on: dict[int, Label | None] | None = None,
        then: Label | None = None,
    ) -> None:
        """Appends a call.

        ``out`` takes its result; ``on`` maps an errno to where to go on (None: the next step), any other ends the program;
        ``then`` is where to go on after success, if not at the next step.
        """
        self.steps.append((name.encode("utf-8", "replace"), call, arguments, out, on or _NOWHERE, then))

    def place(self, label: Label) -> None:
        label.target = len(self.steps)

    def keep(self, value: object) -> int:
        """Keeps a C object for as long as the program; returns its address."""
        self._kept.append(value)
        return ctypes.addressof(value)  # type: ignore[arg-type]

    def open_slot(self) -> Slot:
        """A place for the result of a step, which later steps take as an argument; -1 until then."""
        return Slot(-1)

    def run(self, report: int) -> None:
        """Executes the steps in a child. Never returns: a failure is written to ``report`` and ends the process."""
        self.report.value = report
        self.perform(report)
        calls.exit_group(127)

    def perform(self, report: int) -> None:
        """Executes the steps, the last of which need not be an execve. A failure is written to ``report`` and ends the process."""
        steps = self.steps
        errno_now = calls.errno_now
        index, end = 0, len(steps)
        try:
            while index < end:
                name, call, arguments, out, on, then = steps[index]
                result = call(*arguments)
                if result >= 0:
                    if out is not None:
                        out.value = result
                    index = then.target if then is not None else index + 1
                    continue
                error = errno_now()
                if error not in on:
                    failure = encode_failure(error, name)
                    calls.write(report, failure, len(failure))
                    calls.exit_group(127)
                label = on[error]
                index = label.target if label is not None else index + 1
        except BaseException:
            # nothing may be said of it here, and nobody may go on
            calls.exit_group(127)
