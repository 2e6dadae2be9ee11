"""Who may use the socket."""

from __future__ import annotations

import pytest

from moby_tui.engine.policy.access import check, group_id
from moby_tui.errors import Forbidden, InvalidArgument


def test_root_and_members_pass_and_others_do_not() -> None:
    check(0, 0, 4242)
    check(65534, 4242, 4242)
    with pytest.raises(Forbidden, match="user 65534"):
        check(65534, 65534, 4242)
    with pytest.raises(Forbidden):
        check(3999999, 3999999, 0)


def test_groups_by_name_and_number() -> None:
    assert group_id("root") == 0 and group_id("123") == 123
    with pytest.raises(InvalidArgument, match="does not exist"):
        group_id("no-such-group")
