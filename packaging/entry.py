"""The frozen program begins here."""

from __future__ import annotations

import os
import sys


def _restore_environment() -> None:
    """Undoes what PyInstaller's loader set for itself, so that no helper and no container inherits it.

    The dynamic linker read ``LD_LIBRARY_PATH`` when this process began and needs it no more.
    """
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if original is not None:
        os.environ["LD_LIBRARY_PATH"] = original
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]


def main() -> None:
    _restore_environment()
    # moby_tui.engine.runtime.birth.host_program.COMMAND, which is costly to import for a word
    if sys.argv[1:2] == ["__host_program__"]:
        from moby_tui.engine.runtime.birth import host_program

        host_program.begin(sys.argv[2:])
        return
    if sys.argv[1:2] == ["__unpacker__"]:  # moby_tui.engine.resources.images.unpack.unpacker.COMMAND
        from moby_tui.engine.resources.images.unpack import unpacker

        unpacker.main(sys.argv[2])
        return
    if sys.argv[1:2] == ["__names__"]:  # moby_tui.engine.resources.networks.names.program.COMMAND
        from moby_tui.engine.resources.networks.names import server

        server.main(*sys.argv[2:])
        return
    from moby_tui.__main__ import main as command_line

    command_line()


main()
