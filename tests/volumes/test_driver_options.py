"""Options of volumes and sizes, whatever is written in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.policy import quota
from moby_tui.engine.resources.volumes import driver_options
from moby_tui.engine.resources.volumes.requests import mount_requests
from moby_tui.engine.store.records.containers import ContainerConfig, HostConfig, ImageMountOptions, Mount
from moby_tui.errors import InvalidArgument


@pytest.mark.parametrize(
    ("asked", "flags", "propagation", "data"),
    [
        ("", 0, 0, ""),
        ("bind", kernel.MS_BIND, 0, ""),
        ("rbind,ro,rshared", kernel.MS_BIND | kernel.MS_REC | kernel.MS_RDONLY, kernel.MS_SHARED | kernel.MS_REC, ""),
        ("size=1m,,noexec,uid=7", kernel.MS_NOEXEC, 0, "size=1m,uid=7"),
        ("ro,rw,nosuid,suid", 0, 0, ""),
    ],
)
def test_words_of_o(asked: str, flags: int, propagation: int, data: str) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": asked}
    assert driver_options._parse(options) == ("tmpfs", "tmpfs", flags, propagation, data)


def test_a_server_s_name_becomes_its_address() -> None:
    options = {"type": "nfs", "device": ":/export", "o": "addr=localhost,rw"}
    assert driver_options._parse(options)[4] in ("addr=127.0.0.1", "addr=::1")
    assert driver_options._parse(options | {"o": "addr=192.0.2.1"})[4] == "addr=192.0.2.1"
    share = {"type": "cifs", "device": "//localhost/share", "o": ""}
    assert driver_options._parse(share)[0] in ("//127.0.0.1/share", "//::1/share")


@given(st.dictionaries(st.sampled_from(["type", "o", "device", "size", "uid", "mode", "other"]), st.text(max_size=20)))
def test_options_are_taken_or_refused(options: dict[str, str]) -> None:
    try:
        driver_options.check("v1", options)
    except InvalidArgument:
        return
    assert set(options) <= {"type", "o", "device", "size", "uid", "mode"} and ("type" in options) == ("device" in options)
    assert "type" not in options or not {"uid", "mode"} & set(options)


@pytest.mark.parametrize(
    "options",
    [
        {"uid": "-1"},
        {"uid": "4294967295"},
        {"gid": "wheel"},
        {"gid": "٣"},
        {"mode": "rwx"},
        {"mode": "10000"},
        {"mode": "0o755"},
        {"uid": "1", "o": "uid=2"},
        {"o": "uid=1,ro"},
        {"o": "uid=x"},
        {"type": "tmpfs", "device": "tmpfs", "uid": "1"},
    ],
)
def test_owners_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        driver_options.check("v1", options)


@given(st.text(alphabet="0123456789.kmgtpKMGBi -", max_size=12))
def test_sizes_are_read_or_refused(text: str) -> None:
    try:
        size = quota.parse(text)
    except InvalidArgument:
        return
    assert size == 0 or 64 * 1024 <= size <= 1 << 62


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("64k", 65536), ("1.5m", 1572864), ("2GiB", 2 << 30), ("10 gb", 10 << 30)])
def test_sizes(text: str, size: int) -> None:
    assert quota.parse(text) == size


@given(st.text(alphabet="a./\0", max_size=12))
def test_a_subpath_never_begins_outside(subpath: str) -> None:
    mount = Mount(type="image", source="i", target="/t", image_options=ImageMountOptions(subpath=subpath))
    try:
        [request] = mount_requests(ContainerConfig(), HostConfig(mounts=[mount]))
    except InvalidArgument:
        return
    depth = 0
    for part in request.subpath.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
    assert depth >= 0 and "\0" not in request.subpath and not request.subpath.startswith("/")


@given(st.text(alphabet="rosize=mode,uid7k ", max_size=20))
def test_options_of_a_tmpfs_are_known_ones(mode: str) -> None:
    try:
        [request] = mount_requests(ContainerConfig(), HostConfig(tmpfs={"/t": mode}))
    except InvalidArgument:
        return
    assert all(word.split("=")[0] in ("ro", "size", "mode", "uid", "suid") for word in request.mode.split(",") if word)
