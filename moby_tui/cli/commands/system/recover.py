"""``system recover``: a database that is lost or damaged is rebuilt."""

from __future__ import annotations

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

app = typer.Typer()


@app.command(
    "recover",
    epilog="""\b
Examples:
  moby system recover
  moby --data-root /srv/moby system recover
""",
)
def recover() -> None:
    """Rebuild a lost or damaged database from what is on disk.

    Containers, images and volumes come back from the records that lie beside their files, from what can be read of the
    database, and from its last backup (moby.db.backup in the data root). The damaged database is kept under another name.
    Containers may run meanwhile; stop a daemon first, and start it again afterwards.
    """
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
