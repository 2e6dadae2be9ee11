"""Bundles that another engine, or a mistake, made malformed: each is one line, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moby_tui.engine.protocol.configuration import Process, User
from moby_tui.errors import MobyError
from moby_tui.oci import bundle
from oci.bundle import make, ours

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
_settings = settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _whole(folder: Path) -> dict[str, Any]:
    """A configuration with everything that is read."""
    (folder / "rootfs").mkdir()
    hook = {"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 1}
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "h",
        "annotations": {"a": "b"},
        "hooks": {"prestart": [hook], "poststop": [hook]},
        "mounts": [{"destination": "/m", "type": "bind", "source": "/", "options": ["rbind", "ro"]}],
        "process": {
            "args": ["true"],
            "env": ["A=b"],
            "cwd": "/",
            "terminal": False,
            "consoleSize": {"height": 1, "width": 1},
            "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [1]},
            "capabilities": {"bounding": ["CAP_CHOWN"], "permitted": []},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
        },
        "linux": {
            "namespaces": [{"type": "mount"}, {"type": "user"}, {"type": "pid", "path": "/proc/1/ns/pid"}],
            "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
            "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438}],
            "resources": {"devices": [{"allow": False, "access": "rwm"}], "memory": {"limit": 1}},
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chown"], "action": "SCMP_ACT_ERRNO"}]},
            "maskedPaths": ["/proc/kcore"],
            "sysctl": {"a": "b"},
        },
    }


def _changed(value: Any, data: st.DataObject) -> Any:
    """The value with one of its parts, at any depth, replaced or taken out."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not keys or data.draw(st.booleans()):
        return data.draw(_JSON)
    key, copied = data.draw(st.sampled_from(keys)), value.copy()
    if data.draw(st.integers(0, 3)):
        copied[key] = _changed(value[key], data)
    else:
        del copied[key]
    return copied


def test_a_configuration_is_read_or_refused(tmp_path: Path) -> None:
    whole = _whole(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(whole))
    assert bundle.read(str(tmp_path)).process == Process.from_values(whole["process"])

    @_settings
    @given(st.data())
    def read(data: st.DataObject) -> None:
        path.write_text(json.dumps(_changed(whole, data)))
        try:
            bundle.read(str(tmp_path))
        except MobyError as error:
            assert "\n" not in error.message

    read()


def test_text_that_is_no_configuration_is_refused(tmp_path: Path) -> None:
    for text in (b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"process": 1}', b"\xff"):
        (tmp_path / "config.json").write_bytes(text)
        with pytest.raises(MobyError):
            bundle.read(str(tmp_path))


def test_null_is_as_good_as_nothing(tmp_path: Path) -> None:
    whole = _whole(tmp_path)
    whole["process"] |= {"env": None, "user": None, "capabilities": None, "rlimits": None}
    whole["linux"] |= {"resources": None, "seccomp": None, "devices": None}
    whole |= {"hooks": None, "mounts": None, "annotations": None}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    assert bundle.read(str(tmp_path)).process.user == User()


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    runtime = ours(tmp_path / "state")
    folder = make(tmp_path / "bundle", lambda config: config["process"].update(user={"uid": "root"}), "true")
    done = runtime("run", "--bundle", str(folder), "malformed")
    assert done.returncode == 1
    assert "config.json: process: user: uid: expected an integer, got a string" in done.stderr
    assert "Traceback" not in done.stderr
