"""podman's remote client, and the transport ``docker-daemon:`` that podman and skopeo share.

The remote client asks for podman's own API first, which no Docker engine has: it leaves ours as it leaves dockerd 28.5.2. The transport of
Debian 12 speaks version 1.22 of Docker's, which dockerd 28.5.2 refuses in the same words; that of podman 5.8 carries images both ways.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from plug_ins import require

#: What podman 4.3 and 5.8 say of dockerd's socket, whatever the command.
REFUSAL = "unable to connect to Podman socket: ping response was 404"


@pytest.mark.parametrize("command", ["ps", "info", "images", "version", "run --rm busybox true"])
def test_podman_remote_leaves(served_alone: Path, command: str) -> None:
    words = [require("podman"), "--remote", "--url", f"unix://{served_alone}", *command.split()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (125, "")
    assert REFUSAL in done.stderr


def test_a_version_before_errors_in_json_is_refused_in_plain_text(served_alone: Path) -> None:
    words = [require("skopeo"), "inspect", "--daemon-host", f"unix://{served_alone}", "docker-daemon:busybox:latest"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    text = "client version 1.22 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
    assert f"Error response from daemon: {text}" in done.stderr
