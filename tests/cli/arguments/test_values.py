"""Mounts, environment, devices, networks, filters, moments."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.values import devices, environment, filters, moments, mounts, networks
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.screens.forms import options as form


def test_volumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    binds, anonymous = mounts.volumes(["/a:/b", "./x:/y:ro", "named:/n", "/cache"])
    assert binds == ["/a:/b", f"{tmp_path}/x:/y:ro", "named:/n"]
    assert anonymous == {"/cache": {}}


@pytest.mark.parametrize("spec", ["", ":", "a:b", "/a:", ":/b", "/a:/b:ro:rw", "/a:/", "relative", "/a:/b/.."])
def test_volume_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument):
        mounts.volumes([spec])


def test_mount_keys() -> None:
    mount = mounts.parse_mount('type=bind,src=/a,dst=/b,ro,bind-propagation=rslave,"consistency=cached"')
    assert (mount.type, mount.source, mount.target, mount.read_only) == ("bind", "/a", "/b", True)
    assert mount.bind_options is not None
    assert mount.bind_options.propagation == "rslave"
    tmpfs = mounts.parse_mount("type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1770")
    assert tmpfs.tmpfs_options is not None
    assert (tmpfs.tmpfs_options.size_bytes, tmpfs.tmpfs_options.mode) == (64 << 20, 0o1770)
    volume = mounts.parse_mount("source=v,target=/v,volume-nocopy,volume-label=a=b,volume-opt=o=size=1,volume-driver=local")
    assert volume.volume_options is not None
    assert volume.volume_options.no_copy
    assert volume.volume_options.labels == {"a": "b"}
    assert volume.volume_options.driver_config is not None
    assert volume.volume_options.driver_config.options == {"o": "size=1"}


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "source=v",
        "target=/a,tmpfs-size=1",
        "target=/a,readonly=perhaps",
        "target=/a,color=red",
    ],
)
def test_mount_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument):
        mounts.parse_mount(spec)


def test_a_mount_s_ids_and_owner() -> None:
    words = "idmap=uids=1000-0-1#5-6-7;gids=1000-0-1"
    asked = {
        key: mounts.parse_mount(f"type=bind,src=/a,dst=/x,{key}").id_map for key in ("idmap", "idmap=true", "idmap=0", words)
    }
    assert asked == {"idmap": "idmap", "idmap=true": "idmap", "idmap=0": "", words: words}
    assert f"type=bind,source=/a,target=/x,{words}" in form._mount(mounts.parse_mount(f"type=bind,src=/a,dst=/x,{words}"))
    owned = mounts.parse_mount("src=v,dst=/v,uid=1,gid=2,mode=0700").volume_options
    assert owned is not None and owned.driver_config is not None
    assert owned.driver_config.options == {"uid": "1", "gid": "2", "mode": "0700"}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("type=bind,src=/a", "target is required"),
        ("dst=/x,rw", "invalid field 'rw' must be a key=value pair"),
        ("dst=/x,foo=bar", "unexpected key 'foo' in 'foo=bar'"),
        ("dst=/x,ro=yes", "invalid value for ro: yes"),
        ("dst=/x,bind-propagation=shared", "cannot mix 'bind-*' options with mount type 'volume'"),
        ("type=bind,src=/a,dst=/x,bind-recursive=writable", "option 'bind-recursive=writable' requires 'readonly'"),
        (
            "type=bind,src=/a,dst=/x,bind-recursive=readonly,ro",
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate'",
        ),
        ("type=tmpfs,dst=/x,tmpfs-mode=999", "invalid value for tmpfs-mode: 999"),
        ("type=tmpfs,dst=/x,tmpfs-size=-1", "invalid value for tmpfs-size: -1"),
    ],
)
def test_mount_is_refused_in_the_words_of_docker_28_5(spec: str, text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        mounts.parse_mount(spec)
    assert str(refused.value).startswith(f'invalid argument "{spec}" for "--mount" flag: {text}')


def test_a_bind_without_what_is_mounted_below_it() -> None:
    options = [
        mounts.parse_mount(f"type=bind,src=/a,dst=/x,{key}").bind_options
        for key in ("bind-nonrecursive", "bind-recursive=disabled")
    ]
    assert options[0] == options[1] and options[0] is not None and options[0].non_recursive


@given(st.text(max_size=40))
def test_mount_is_read_or_refused(spec: str) -> None:
    with contextlib.suppress(MobyError):
        assert mounts.parse_mount(spec).target


def test_environment(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(b"\xef\xbb\xbf# comment\n\n  A=1 \r\nHOME\nGONE\nB=x=y\n")
    given_, inherited = ["A=2", "HOME", "GONE", "C="], {"HOME": "/root"}
    assert environment.environment(given_, [str(file)], inherited) == [
        "A=1 ",
        "HOME=/root",
        "B=x=y",
        "A=2",
        "HOME=/root",
        "GONE",
        "C=",
    ]


@pytest.mark.parametrize("content", [b"A B=1\n", b"=1\n", b"\xff=1\n", b"A =1\n"])
def test_environment_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "env"
    file.write_bytes(content)
    with pytest.raises(InvalidArgument):
        environment.environment([], [str(file)], {})


def test_missing_environment_file() -> None:
    with pytest.raises(InvalidArgument, match="cannot read /no/file"):
        environment.environment([], ["/no/file"], {})


@given(st.dictionaries(st.text("abc.-", min_size=1), st.text(max_size=5)))
def test_pairs_round_trip(labels: dict[str, str]) -> None:
    assert environment.pairs("--label", [f"{key}={value}" for key, value in labels.items()]) == labels


def test_devices() -> None:
    device = devices.parse_device("/dev/a:/dev/b:rw")
    assert (device.path_on_host, device.path_in_container, device.cgroup_permissions) == ("/dev/a", "/dev/b", "rw")
    assert devices.parse_device("/dev/a:r").path_in_container == "/dev/a"
    mapped, requested = devices.devices(["/dev/a", "vendor.com/net=nic0"])
    assert len(mapped) == 1
    assert requested[0].device_ids == ["vendor.com/net=nic0"]
    limit = devices.parse_ulimit("nofile=1024:4096")
    assert (limit.name, limit.soft, limit.hard) == ("nofile", 1024, 4096)
    assert devices.parse_ulimit("core=-1").hard == -1
    throttled = devices.throttles("--device-read-bps", ["/dev/sda:1mb"], size=True)
    assert throttled is not None
    assert (throttled[0].path, throttled[0].rate) == ("/dev/sda", 1 << 20)


@pytest.mark.parametrize("spec", ["", "dev", "/dev/a:/b:x", "/a:/b:c:d", "/a:b:rw"])
def test_device_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument):
        devices.parse_device(spec)


@pytest.mark.parametrize("spec", ["nofile", "nofile=", "odd=1", "nofile=2:1", "nofile=-1:5", "nofile=a"])
def test_ulimit_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument):
        devices.parse_ulimit(spec)


def test_networks() -> None:
    assert networks.networks([]) == ("", {})
    assert networks.networks(["host"]) == ("host", {})
    mode, endpoints = networks.networks(["name=back,alias=db,ip=10.0.0.2", "front"], alias=["x"])
    assert mode == "back"
    assert endpoints["back"] is not None
    assert endpoints["back"].aliases == ["db", "x"]
    assert endpoints["back"].ipam_config is not None
    assert endpoints["back"].ipam_config.ipv4_address == "10.0.0.2"
    assert "front" in endpoints
    with pytest.raises(InvalidArgument):
        networks.networks(["a", "a"])


def test_filters() -> None:
    assert filters.parse_filters(["label=a=b", "label=c", "Status=exited"]) == {"label": ["a=b", "c"], "status": ["exited"]}
    with pytest.raises(InvalidArgument):
        filters.parse_filters(["status"])


def test_moments() -> None:
    assert moments.parse_moment("", 100) == 0
    assert moments.parse_moment("90.5", 100) == 90.5
    assert moments.parse_moment("10s", 100) == 90
    assert moments.parse_moment("1970-01-01T00:01:00Z", 100) == 60
    assert moments.parse_moment("1970-01-01T01:01:00.5+01:00", 100) == 60.5
    with pytest.raises(InvalidArgument):
        moments.parse_moment("yesterday", 100)


@given(st.integers(0, 4 * 10**18))
def test_nanoseconds_are_not_lost(nanoseconds: int) -> None:
    text = moments.nanosecond_text(nanoseconds)
    assert f".{nanoseconds % 10**9:09d}" in text
    assert int(moments.seconds_of(text)) == nanoseconds // 10**9
