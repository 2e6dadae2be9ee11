"""Who may use the socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from moby_tui.engine.policy.access import Peer, check, group_id, guard, peer
from moby_tui.errors import Forbidden, InvalidArgument


def test_the_peer_is_the_kernels_word(roots: tuple[Path, Path]) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert peer(here) == Peer(os.getpid(), os.geteuid(), os.getegid())


def test_root_and_members_pass_and_others_do_not() -> None:
    check(Peer(1, 0, 0), 4242)
    check(Peer(1, 65534, 4242), 4242)
    with pytest.raises(Forbidden, match="user 65534"):
        check(Peer(1, 65534, 65534), 4242)
    with pytest.raises(Forbidden):
        check(Peer(1, 3999999, 3999999), 0)


def test_a_guarded_socket_is_closed_to_others(roots: tuple[Path, Path]) -> None:
    path = roots[0].parent / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        guard(path)
        assert path.stat().st_mode & 0o777 == 0o660 and path.stat().st_uid == 0


def test_groups_by_name_and_number() -> None:
    assert group_id("root") == 0 and group_id("123") == 123
    with pytest.raises(InvalidArgument, match="does not exist"):
        group_id("no-such-group")
