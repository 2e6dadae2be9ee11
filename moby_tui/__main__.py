"""``moby`` and ``python -m moby_tui``: the door to the command line."""

from __future__ import annotations

import gc
import os
import sys

from moby_tui import deferral

#: Importing makes tens of thousands of objects and no garbage: looking for it costs a tenth of a command's time.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    _open_missing_streams()
    argv = sys.argv[1:]
    if argv[:1] == ["oci"]:
        # another engine calls it for every step: nothing of the other doors is imported
        from moby_tui.oci import protection

        if protection.is_needed(argv):
            protection.begin_anew(argv[1:])
        from moby_tui.oci.command_line import main as oci

        sys.exit(oci(argv[1:]))
    deferral.install()
    _warm_up(argv)
    from moby_tui.cli.app import run

    _leave(run(argv))


def _open_missing_streams() -> None:
    """Standard streams that the caller has closed lead to /dev/null: else what is opened next, a database, would be written to as output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # the lowest number that is free: the one that is missing
            null = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, mode))


def _leave(status: int) -> None:
    """Ends the process. Taking apart what a command has imported, object by object, takes longer than the command's own work.

    Once Typer is imported, Python ends the process as usual, since a package of others may have registered a function for the end.
    """
    if "typer" in sys.modules:
        sys.exit(status)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _warm_up(argv: list[str]) -> None:
    """Forks the launcher while this process is still small and has neither thread nor event loop."""
    from moby_tui.cli.table.root import starts_containers_here, starts_many

    if starts_containers_here(argv, os.environ) and os.geteuid() == 0:
        from moby_tui.engine.runtime.launcher import spawning

        spawning.prefork(spare=starts_many(argv))


if __name__ == "__main__":
    main()
