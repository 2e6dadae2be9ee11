"""A dockerd of this machine, without containers or networks, for comparing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: dockerd does not like hybrid control groups, and needs none here.
_START = "umount /sys/fs/cgroup/unified 2>/dev/null; exec dockerd --bridge=none --iptables=false --storage-driver=overlay2 "


@contextmanager
def running() -> Iterator[Path]:
    """The socket of a dockerd that runs during the block."""
    folder = Path(tempfile.mkdtemp(prefix="mt-dockerd-", dir="/var/tmp"))
    places = f"--data-root={folder}/d --exec-root={folder}/r --pidfile={folder}/pid --host=unix://{folder}/s"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", _START + places], stdout=log, stderr=log)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{folder}/s"}
    for _ in range(150):
        if subprocess.run(["docker", "version"], env=environment, capture_output=True).returncode == 0:
            break
        time.sleep(0.2)
    else:
        raise RuntimeError((folder / "log").read_text()[-2000:])
    yield folder / "s"
    process.terminate()
    process.wait(30)
    shutil.rmtree(folder)
