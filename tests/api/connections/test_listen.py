"""The sockets the API is served on."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from moby_tui.api.server.listen import listen
from moby_tui.errors import Conflict, InvalidArgument, NotImplementedYet


def test_a_socket_is_its_groups_only_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "s"
    [listener] = listen(f"unix://{path}", group=4321)
    assert path.stat().st_gid == 4321
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not listener.warning
    listener.close()
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    [listener] = listen(f"unix://{path}")
    with pytest.raises(Conflict):
        listen(f"unix://{path}")
    assert path.exists()
    listener.withdraw()
    [successor] = listen(f"unix://{path}")
    listener.close()
    assert path.exists()
    successor.close()
    assert not path.exists()


def test_another_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(Conflict):
        listen(f"unix://{path}")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:0", "tcp://[::1]:0", "tcp://localhost:0"])
def test_tcp_is_for_this_machine_and_warns(host: str) -> None:
    [listener] = listen(host)
    assert not listener.address.endswith(":0") and "no authentication" in listener.warning
    listener.close()


@pytest.mark.parametrize(
    "host",
    [
        "tcp://0.0.0.0:2375",
        "tcp://:2375",
        "tcp://10.0.0.1:2375",
        "tcp://[::]:2375",
        "tcp://x",
        "unix://relative",
        "nonsense",
        "fd://",
    ],
)
def test_dangerous_and_senseless_hosts_are_refused(host: str) -> None:
    with pytest.raises(InvalidArgument):
        listen(host)


def test_what_is_not_there_yet_is_said() -> None:
    with pytest.raises(NotImplementedYet):
        listen("npipe:////./pipe/docker")
