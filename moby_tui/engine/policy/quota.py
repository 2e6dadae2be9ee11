"""``--storage-opt size=`` and the volume option ``size``: limits on disk space, enforced by the file system's project quotas."""

from __future__ import annotations

import os
import re

from moby_tui.engine.kernel import project_quota
from moby_tui.errors import InvalidArgument

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
#: Below this not even an empty container starts.
_LEAST = 64 * 1024


def of_storage_options(options: dict[str, str] | None) -> int:
    """The bytes that ``HostConfig.StorageOpt`` asks for; 0 for no limit. Raises ``InvalidArgument``."""
    size = 0
    for name, value in (options or {}).items():
        if name.lower() != "size":
            raise InvalidArgument(f"Unknown option {name}: --storage-opt takes size=BYTES")
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


def limit(folders: list[str | os.PathLike[str]], size: int, *, refusal: str) -> None:
    """Limits empty folders to ``size`` bytes together. Raises ``InvalidArgument``, beginning with ``refusal``, without project quotas."""
    try:
        project_quota.limit([os.fspath(folder) for folder in folders], size)
    except project_quota.NoQuota:
        raise InvalidArgument(
            f"{refusal}: the data root must lie on xfs or ext4 with project quotas, mounted with the option prjquota"
        ) from None
