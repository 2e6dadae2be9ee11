"""testcontainers-python against our daemon: every answer is the one that dockerd 28.5.2 has given, field by field."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from clients import differing

RECORDED = Path(__file__).parent / "dockerd_28_5_testcontainers.json"


def network_of(path: Path) -> str:
    """The network namespace of the daemon that listens on a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return f"/proc/{pid}/ns/net"


def test_every_answer_is_dockerds(served_alone: Path) -> None:
    command = ["nsenter", f"--net={network_of(served_alone)}", sys.executable, "-m", "clients.testcontainers_steps"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([*command, str(served_alone)], env=environment, capture_output=True, text=True, timeout=220)
    assert done.returncode == 0, done.stderr
    differing.check(RECORDED, json.loads(done.stdout), {})
