"""``system recover``: a database that is lost or damaged is rebuilt."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.declare import Options


def recover(options: Options) -> None:
    """``moby system recover``."""
    import asyncio

    from moby_tui.engine.engine import Engine

    current = session.current()
    if current.host:
        raise InvalidArgument("a database is recovered where it lies: run this on the engine's machine, without -H")
    done = asyncio.run(Engine.recover(options=current.engine_options()))
    if done.whole:
        print("The database is whole and knows all that is on disk: nothing was changed.")
        return
    print(f"Recovered: {done.containers} containers, {done.images} images, {done.volumes} volumes")
    if done.aside:
        print(f"The former database is kept as {done.aside}")
    for remark in done.remarks:
        print(f"WARNING: {remark}")
