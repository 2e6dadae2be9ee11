"""Removal of a folder that others may be changing: unlink(2) and rmdir(2), never through a link (light imports: it runs in every monitor)."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

_REMOVALS = 100


def remove_with_mount(path: str, last: str, mounted: str) -> None:
    """Removes a folder as ``remove_tree`` does; a file system that is mounted in it, on the folder ``mounted``, is unmounted first."""
    mounted = os.path.join(path, mounted)
    if os.path.exists(mounted):
        # few folders have one
        from moby_tui.engine.kernel import mount

        with suppress(OSError):  # nothing is mounted there since the machine was started, or somebody unmounted it
            mount.umount2(mounted, mount.MNT_DETACH | mount.UMOUNT_NOFOLLOW)
    remove_tree(path, last)


def remove_tree(path: str, last: str = "") -> None:
    """Removes a folder of ours with all that is in it, never through a link. What another process removes meanwhile is no error.

    Nor is a lock file that another process makes in it meanwhile: that process then sees that the container is gone. The file named
    ``last`` is removed after all others: where whoever removes is killed, it still says what the folder was.
    """
    for _ in range(_REMOVALS):
        try:
            for entry in sorted(os.scandir(path), key=lambda entry: entry.name == last):
                _remove(entry)
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
        else:
            return


def _remove(entry: os.DirEntry[str]) -> None:
    """Removes a file, or a directory with all in it; one that another process has removed is done. Raises ``OSError``."""
    try:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            os.unlink(entry.path)
    except FileNotFoundError:
        pass
