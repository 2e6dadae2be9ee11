"""Finding the hierarchies in texts of /proc/PID/mountinfo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.engine.kernel.cgroup.layout import detect, parse

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:10 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/lib/systemd,name=systemd
"""


def test_v2_alone() -> None:
    layout = parse(V2)
    assert layout.version == 2 and layout.unified is not None and layout.unified.mountpoint == "/sys/fs/cgroup"


def test_v1_with_a_shared_mount_and_a_named_tree() -> None:
    layout = parse(V1)
    assert layout.version == 1 and layout.unified is None
    assert [(tree.controllers, tree.name) for tree in layout.legacy] == [
        (("cpu", "cpuacct"), ""),
        (("memory",), ""),
        ((), "systemd"),
    ]


def test_a_hybrid_is_version_1_and_keeps_the_unified_tree() -> None:
    layout = parse(V1 + V2.replace("/sys/fs/cgroup rw", "/sys/fs/cgroup/unified rw"))
    assert layout.version == 1 and layout.unified is not None and layout.unified.mountpoint == "/sys/fs/cgroup/unified"


def test_a_named_tree_without_controllers_does_not_make_version_1() -> None:
    assert parse(V1.splitlines()[3] + "\n" + V2).version == 2


def test_the_writable_root_wins_over_a_bind_of_a_part() -> None:
    part = "50 23 0:32 /docker/abc /mnt/memory rw,relatime - cgroup cgroup rw,memory\n"
    read_only = "51 23 0:32 / /mnt/ro ro,relatime - cgroup cgroup rw,memory\n"
    layout = parse(part + read_only + V1)
    assert [tree.mountpoint for tree in layout.legacy if tree.controllers == ("memory",)] == ["/sys/fs/cgroup/memory"]


def test_an_escaped_mount_point() -> None:
    assert parse("1 0 0:1 / /odd\\040place\\134 rw - cgroup2 none rw\n").unified.mountpoint == "/odd place\\"  # type: ignore[union-attr]


def test_a_hidden_mount_does_not_count() -> None:
    assert parse(V2, lambda mountpoint, device: False).unified is None


@given(st.text(alphabet="0123456789 -:/cgroup2rw,=\\\n"))
def test_any_text_is_survived(text: str) -> None:
    parse(text)


def test_this_machine() -> None:
    layout = detect()
    assert layout.version in (1, 2)


@pytest.mark.parametrize("path", ["", "/", "moby/x", "/moby/", "/moby/../x", "/moby//x", "/./x", "/moby/a\0b"])
def test_a_path_that_leaves_the_root_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="control group path"):
        open_cgroup(path)
