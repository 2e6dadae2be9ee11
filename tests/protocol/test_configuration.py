"""The OCI configuration, and what the process made ahead is told: read whole, written again, or refused in one line."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.protocol.configuration import Hook, Mount, read
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.standby import BindKind, Preparation, frame, read_length
from moby_tui.engine.runtime.birth import standby
from moby_tui.engine.runtime.plan.becoming import ProcessInputs, Streams
from moby_tui.engine.runtime.plan.container import ContainerInputs, compile_container
from moby_tui.engine.runtime.plan.filesystem.mounting import MountInputs
from moby_tui.engine.runtime.plan.filesystem.source import Bind
from moby_tui.engine.runtime.plan.filesystem.stage import Stage
from protocol.messages import JSON, spoiled

HOOK = {"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 1}
WHOLE: dict[str, Any] = {
    "ociVersion": "1.2.0",
    "process": {
        "terminal": False,
        "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3]},
        "args": ["true"],
        "env": ["A=b"],
        "cwd": "/",
        "consoleSize": {"height": 1, "width": 2},
        "capabilities": {"bounding": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
        "noNewPrivileges": True,
        "oomScoreAdj": 0,
        "scheduler": {"policy": "SCHED_BATCH", "nice": 1, "priority": 0, "runtime": 0, "deadline": 0, "period": 0},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
        "execCPUAffinity": {"initial": "0"},
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "h",
    "mounts": [{"destination": "/m", "type": "bind", "source": "/", "options": ["rbind"]}],
    "hooks": {"prestart": [HOOK], "createRuntime": [HOOK], "startContainer": [HOOK]},
    "annotations": {"a": "b"},
    "linux": {
        "namespaces": [{"type": "mount"}, {"type": "pid", "path": "/proc/1/ns/pid"}],
        "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
        "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}],
        "cgroupsPath": "/a",
        "resources": {
            "devices": [{"allow": False, "access": "rwm"}],
            "memory": {"limit": -1, "disableOOMKiller": True},
            "cpu": {"shares": 2, "cpus": "0"},
            "pids": {"limit": 0},
            "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 1}],
            "unified": {"memory.high": "1"},
        },
        "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys"],
        "sysctl": {"a": "b"},
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "new": [1, None]},
        "timeOffsets": {"boottime": {"secs": 1, "nanosecs": 2}},
        "personality": {"domain": "LINUX32"},
    },
}


def test_what_is_read_is_written_again() -> None:
    assert read(json.dumps(WHOLE)).values() == WHOLE
    assert read(read(json.dumps(WHOLE)).encode()) == read(json.dumps(WHOLE))


def test_members_that_are_not_declared_are_kept_for_another_runtime() -> None:
    others = {"vm": {"kernel": {"path": "/k"}}, "linux": {"intelRdt": {"closID": "x"}, "namespaces": [{"type": "mount", "x": 1}]}}
    configuration = read(json.dumps(others))
    changed = configuration.replaced(linux=configuration.linux.replaced(cgroups_path="/a"))
    written = json.loads(changed.encode())
    assert written["vm"] == others["vm"]
    assert written["linux"]["intelRdt"] == {"closID": "x"} and written["linux"]["cgroupsPath"] == "/a"
    assert written["linux"]["namespaces"] == [{"type": "mount", "x": 1}]


def test_null_is_as_good_as_nothing_and_defaults_are_nobody_elses() -> None:
    first, second = read(json.dumps({"mounts": None, "linux": None, "hooks": None})), read("{}")
    first.mounts.append(Mount(destination="/m"))
    first.linux.namespaces = []
    first.hooks.of("poststop").append(Hook(path="/h"))
    assert first.hooks.any() and not second.hooks.any() and second.mounts == [] and read("{}") == second


def test_the_filters_rules_can_be_left_out() -> None:
    assert read(json.dumps(WHOLE), without="seccomp").linux.seccomp is None


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "config.json: expected an object, got a list"),
        ({"process": 1}, "config.json: process: expected an object"),
        ({"process": {"args": [1]}}, "config.json: process: args: expected a string"),
        ({"process": {"user": {"uid": True}}}, "process: user: uid: expected an integer, got true or false"),
        ({"mounts": [{}]}, "config.json: mounts: destination is missing"),
        ({"mounts": [{"destination": None}]}, "mounts: destination is missing"),
        ({"hooks": {"prestart": [{"path": "true"}]}}, "hooks: prestart: a hook needs an absolute path"),
        ({"hooks": {"poststop": [{"path": "/t", "timeout": 0}]}}, "a number of seconds above zero"),
        ({"linux": {"namespaces": [{"type": "x"}]}}, "linux: namespaces: unknown namespace 'x'"),
        ({"linux": {"devices": [{"path": "/x", "type": "d"}]}}, "linux: devices: unknown type 'd' of the device /x"),
        ({"linux": {"uidMappings": [{"size": 1}]}}, "linux: uidMappings: a row needs containerID, hostID and size"),
    ],
)
def test_what_is_none_is_refused(values: object, text: str) -> None:
    with pytest.raises(MalformedMessage) as refused:
        read(json.dumps(values))
    assert text in str(refused.value) and "\n" not in str(refused.value)


@given(spoiled(WHOLE) | JSON)
def test_any_configuration_is_read_or_refused(values: object) -> None:
    try:
        configuration = read(json.dumps(values))
        assert read(configuration.encode()).values() == configuration.values()
    except MalformedMessage as error:
        assert "\n" not in str(error)


@given(spoiled(standby.SAMPLE.values()))
def test_any_configuration_has_a_plan_or_none(values: object) -> None:
    """What the process made ahead does with it ends in a program or in an error that it can report."""
    try:
        configuration = read(json.dumps(values))
        # as many as its monitor sends, which reads the same file
        binds = [Bind(-1, directory=False, over_proc=False) for mount in configuration.mounts if mount.type == "bind"]
        mounts = MountInputs(root=-1, binds=binds, stage=Stage())
        compile_container(configuration, ContainerInputs(ProcessInputs(Streams()), mounts, joined={}))
    except (OSError, ValueError):
        pass


# the channel to the process made ahead


def _received(data: bytes) -> Preparation:
    """What comes out at the other end of the channel, which is closed behind it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        size = read_length(theirs.recv(4))
        return Preparation.decode(standby._receive(theirs, size), "message to the process made ahead")


def test_a_preparation_arrives() -> None:
    sent = Preparation(
        descriptors=["root", "bind"],
        binds=[BindKind(directory=True, over_proc=False)],
        seccomp=8,
    )
    received = _received(frame(sent))
    assert received == sent
    assert Descriptors.received(received.descriptors, [5, 6]).take("bind") == 6


@given(st.data())
def test_a_truncated_or_malformed_preparation_is_refused(data: st.DataObject) -> None:
    whole = frame(Preparation(descriptors=["root"]))
    cut = data.draw(st.integers(0, len(whole) - 1))
    noise = data.draw(st.binary(max_size=20))
    for broken in (whole[:cut], noise, len(noise).to_bytes(4, "little") + noise):
        with pytest.raises(MalformedMessage) as refused:
            _received(broken)
        assert "\n" not in str(refused.value)


def test_descriptors_that_are_not_what_is_named_are_refused() -> None:
    with pytest.raises(MalformedMessage, match="expected a descriptor for each of 1 binds"):
        kind = BindKind(directory=True, over_proc=False)
        Preparation.decode(Preparation(descriptors=["root"], binds=[kind]).encode())
    with pytest.raises(MalformedMessage, match="1 descriptors are named and 0 were received"):
        Descriptors.received(["root"], [])
