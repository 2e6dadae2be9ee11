"""``--storage-opt size=`` and the volume option ``size``: limits on disk space.

They are enforced by the project quotas of the data root's file system. Where that has none, what is limited lies on a file system of its own,
in a sparse file (``kernel/file_systems/loop_device.py``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from moby_tui.engine.kernel.file_systems import project_quota
from moby_tui.engine.kernel.trees import closing
from moby_tui.errors import InvalidArgument, MobyError

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
#: Below this not even an empty container starts.
_LEAST = 64 * 1024
#: ext4 in less holds next to nothing beside its own records.
_LEAST_IMAGE = 1 << 20
_NO_QUOTAS = "the data root does not lie on xfs or ext4 mounted with the option prjquota"


def of_storage_options(options: dict[str, str] | None) -> int:
    """The bytes that ``HostConfig.StorageOpt`` asks for; 0 for no limit. Raises ``InvalidArgument``."""
    size = 0
    for name, value in (options or {}).items():
        if name.lower() != "size":
            raise InvalidArgument(f"Unknown option {name}")
        size = parse(value)
    return size


def parse(text: str) -> int:
    """``10g`` in bytes; 0 is no limit. Raises ``InvalidArgument``."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidArgument(f"invalid size: '{text}'; write it like 512m or 10g")
    power = "kmgtp".index(match[2].lower()) + 1 if match[2] else 0
    size = int(float(match[1]) * 1024**power)
    if 0 < size < _LEAST or size > 1 << 62:
        raise InvalidArgument(f"invalid size: '{text}'; it can be from 64k to 4096p")
    return size


def limit(folders: Sequence[Path], size: int) -> bool:
    """Limits empty folders to ``size`` bytes together; false where their file system has no project quotas. Raises ``OSError``."""
    try:
        project_quota.limit([str(folder) for folder in folders], size)
    except project_quota.NoQuota:
        return False
    return True


def make_image(image: Path, size: int, *, refusal: str) -> None:
    """Makes a file system of ``size`` bytes, its own records among them, in a file that takes as much of the disk as is written to it.

    Only root can reach the file, and what will be in it is written through the kernel: mounting it is as safe as the disk below.
    Blocking. Raises ``InvalidArgument``, beginning with ``refusal``, where that cannot be had.
    """
    program = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise InvalidArgument(f"{refusal}: {_NO_QUOTAS}, and mkfs.ext4 (of e2fsprogs), which would do without, is not installed")
    if size < _LEAST_IMAGE:
        raise InvalidArgument(f"{refusal}: {_NO_QUOTAS}, and without it the least size is 1m")
    try:
        with closing(os.open(image, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)) as file:
            os.truncate(file, size)
        # all of it is for the container: nothing is kept back for root
        command = [program, "-q", "-F", "-m", "0", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", str(image)]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        image.unlink(missing_ok=True)
        raise InvalidArgument(f"{refusal}: cannot make a file of that size: {(error.strerror or str(error)).lower()}") from error
    if made.returncode:
        image.unlink(missing_ok=True)
        raise InvalidArgument(f"{refusal}: mkfs.ext4 failed: {(made.stderr.strip().splitlines() or ['it does not say why'])[-1]}")


def mount_image(image: Path, target: Path) -> None:
    """Mounts such a file system. Blocking. Raises ``MobyError``."""
    from moby_tui.engine.kernel.file_systems import loop_device

    try:
        loop_device.mount(str(image), str(target))
    except loop_device.NoDevice as error:
        raise MobyError(f"cannot mount the file system in {image}: {error}") from error
    except OSError as error:
        raise MobyError(f"cannot mount the file system in {image}: {error.strerror}") from error
