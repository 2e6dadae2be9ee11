"""The init of a container that was run with ``--init``: a program of our own, kept ready for each processor."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

#: Where it is mounted in the container: Docker's place.
PATH = "/sbin/docker-init"


def program(cache: Path) -> Path:
    """The program as an executable file on the host, written to ``cache`` when it is first needed. Raises ``OSError``."""
    content = (Path(__file__).parent / f"{platform.machine()}.elf").read_bytes()
    target = cache / f"init-{hashlib.sha256(content).hexdigest()[:16]}"
    if not target.exists():
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.chmod(0o555)
        temporary.rename(target)
    return target
