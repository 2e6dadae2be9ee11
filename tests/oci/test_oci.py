"""``moby oci`` as another engine calls it; its answers beside runc's on the same bundles."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from oci import bundle

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def wait_for(runtime: bundle.Runtime, ident: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while (state := runtime.state(ident))["status"] != status:
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    return state


def test_the_states_of_a_life(either: bundle.Runtime, tmp_path: Path) -> None:
    folder = bundle.make(tmp_path / "b", None, "sleep", "60")
    pid_file = tmp_path / "pid"
    assert either("create", "--bundle", str(folder), "--pid-file", str(pid_file), "oci-life").returncode == 0
    state = either.state("oci-life")
    assert (state["status"], state["bundle"], state["pid"]) == ("created", str(folder), int(pid_file.read_text()))
    assert either("create", "--bundle", str(folder), "oci-life").returncode == 1
    assert either("start", "oci-life").returncode == 0
    assert either.state("oci-life")["status"] == "running"
    assert either("start", "oci-life").returncode == 1
    assert either("delete", "oci-life").returncode == 1
    assert either("pause", "oci-life").returncode == 0
    assert either.state("oci-life")["status"] == "paused"
    assert either("resume", "oci-life").returncode == 0
    assert json.loads(either("ps", "--format", "json", "oci-life").stdout) == [state["pid"]]
    assert either("kill", "oci-life", "KILL").returncode == 0
    assert wait_for(either, "oci-life", "stopped")["pid"] == 0
    refused = either("kill", "oci-life", "TERM")
    assert refused.returncode == 1 and "container not running" in refused.stderr
    assert either("start", "oci-life").returncode == 1
    assert either("delete", "oci-life").returncode == 0
    gone = either("state", "oci-life")
    assert gone.returncode == 1 and "does not exist" in gone.stderr
    assert either("delete", "oci-life").returncode == 1
    assert either("delete", "--force", "oci-life").returncode == 0


def test_a_created_container_is_deleted(either: bundle.Runtime, tmp_path: Path) -> None:
    folder = bundle.make(tmp_path / "b", None, "sleep", "60")
    assert either("create", "--bundle", str(folder), "oci-made").returncode == 0
    pid = either.state("oci-made")["pid"]
    assert either("delete", "oci-made").returncode == 0
    assert not [path for path in Path("/sys/fs/cgroup").glob("*/oci-made")]
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG) == (0, 0) and pytest.fail("the process lives")
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["process"].update(args=["nosuch"]), "executable file not found in $PATH"),
        (lambda config: config["process"].update(args=[]), "args must not be empty"),
        (lambda config: config["process"].update(cwd="rel"), "must be an absolute path"),
        (lambda config: config["root"].update(path="nowhere"), "invalid rootfs"),
        (lambda config: config["process"].update(terminal=True), "cannot allocate tty if"),
    ],
)
def test_what_cannot_be_made(either: bundle.Runtime, tmp_path: Path, change: Any, said: str) -> None:
    folder = bundle.make(tmp_path / "b", change, "true")
    done = either("create", "--bundle", str(folder), "oci-bad")
    assert done.returncode == 1
    assert said.lower() in done.stderr.lower()
    assert either("state", "oci-bad").returncode == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["linux"].update(intelRdt={"closID": "x"}), "intelRdt"),
        (lambda config: config["linux"].update(mountLabel="x"), "mountLabel"),
        (lambda config: config["process"].update(capabilities={"bounding": ["CAP_NONE"]}), "unknown capability"),
    ],
)
def test_what_is_not_supported_is_refused(runtime: bundle.Runtime, tmp_path: Path, change: Any, said: str) -> None:
    folder = bundle.make(tmp_path / "b", change, "true")
    done = runtime("create", "--bundle", str(folder), "oci-no")
    assert done.returncode == 1 and said in done.stderr
    assert runtime("list", "-q").stdout == ""


def test_run_gives_the_exit_code_and_leaves_nothing(either: bundle.Runtime, tmp_path: Path) -> None:
    folder = bundle.make(tmp_path / "b", None, "sh", "-c", "echo out; echo err >&2; exit 7")
    done = either("run", "--bundle", str(folder), "oci-run")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert either("list", "-q").stdout == ""


def test_the_process_is_what_the_configuration_says(either: bundle.Runtime, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        sets = {name: ["CAP_NET_RAW", "CAP_KILL"] for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        config["process"] |= {
            "user": {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o027},
            "cwd": "/bin",
            "capabilities": sets,
            "rlimits": [{"type": "RLIMIT_CORE", "soft": 7, "hard": 7}],
        }
        config["hostname"] = "h1"
        config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
        config["mounts"].append({"destination": "/t", "type": "tmpfs", "options": ["noatime", "mode=700"]})
        config["root"]["readonly"] = True

    script = (
        "id; pwd; umask; hostname; grep ^Cap /proc/self/status; grep core /proc/self/limits; cat /proc/sys/net/ipv4/ip_forward;"
        "grep -c ' /t .*noatime' /proc/self/mountinfo; touch /x; ls /dev; cat /proc/kcore"
    )
    folder = bundle.make(tmp_path / "b", change, "sh", "-c", script)
    done = either("run", "--bundle", str(folder), "oci-what")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("uid=1000 gid=1001") and "5,6" in lines[0].replace(" groups=1001,", " ").replace("1001,", "")
    assert lines[1:4] == ["/bin", "0027", "h1"]
    assert [line.split()[1] for line in lines[4:9]] == ["0000000000002020"] * 5
    assert lines[9].split()[4:6] == ["7", "7"]
    assert lines[10:12] == ["1", "1"]
    assert "Read-only file system" in done.stderr
    assert {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "fd"} <= set(lines[12:])


def test_exec(either: bundle.Runtime, tmp_path: Path) -> None:
    folder = bundle.make(tmp_path / "b", None, "sleep", "60")
    assert either("run", "-d", "--bundle", str(folder), "oci-exec").returncode == 0
    done = either("exec", "-e", "A=b", "--cwd", "/bin", "--user", "5:6", "oci-exec", "sh", "-c", "echo $A; pwd; id -u; exit 9")
    assert (done.returncode, done.stdout) == (9, "b\n/bin\n5\n")
    process = tmp_path / "p.json"
    process.write_text(
        json.dumps({"args": ["sh", "-c", "id -g"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 1, "gid": 2}})
    )
    assert either("exec", "--process", str(process), "oci-exec").stdout == "2\n"
    pid_file = tmp_path / "pid"
    assert either("exec", "-d", "--pid-file", str(pid_file), "oci-exec", "sleep", "50").returncode == 0
    assert int(pid_file.read_text()) in json.loads(either("ps", "-f", "json", "oci-exec").stdout)
    missing = either("exec", "oci-exec", "nosuch")
    assert missing.returncode == 255 and "executable file not found in $PATH" in missing.stderr


def test_an_exec_has_the_processors_that_it_asks_for(runtime: bundle.Runtime, tmp_path: Path) -> None:
    # Debian's runc is older than the key
    folder = bundle.make(tmp_path / "b", None, "sleep", "60")
    assert runtime("run", "-d", "--bundle", str(folder), "oci-affinity").returncode == 0
    last = max(os.sched_getaffinity(0))
    process = {"args": ["grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"]}
    affinity = {"initial": str(last), "final": str(last)}
    asked = tmp_path / "p.json"
    asked.write_text(json.dumps({**process, "user": {"uid": 0, "gid": 0}, "execCPUAffinity": affinity}))
    assert runtime("exec", "--process", str(asked), "oci-affinity").stdout.split() == ["Cpus_allowed_list:", str(last)]


def test_a_list_of_processors_that_is_none_is_said(runtime: bundle.Runtime, tmp_path: Path) -> None:
    folder = bundle.make(tmp_path / "b", None, "sleep", "60")
    assert runtime("run", "-d", "--bundle", str(folder), "oci-affinity").returncode == 0
    asked = tmp_path / "p.json"
    asked.write_text(json.dumps({"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "execCPUAffinity": {"final": "x"}}))
    refused = runtime("exec", "--process", str(asked), "oci-affinity")
    assert refused.returncode != 0 and "bad list of processors" in refused.stderr


def test_a_terminal_goes_over_the_console_socket(either: bundle.Runtime, tmp_path: Path) -> None:
    folder = bundle.make(
        tmp_path / "b", lambda config: config["process"].update(terminal=True), "sh", "-c", "tty; stty size; sleep 50"
    )
    with bundle.listening(tmp_path / "s") as server:
        assert either("create", "--bundle", str(folder), "--console-socket", str(tmp_path / "s"), "oci-tty").returncode == 0
        connection, _ = server.accept()
        with connection:
            _, (master,), _, _ = socket.recv_fds(connection, 100, 1)
    assert either("start", "oci-tty").returncode == 0
    said = b""
    while said.count(b"\n") < 2:
        said += os.read(master, 100)
    os.close(master)
    assert said.startswith(b"/dev/pts/0\r\n")


def hook_of(folder: Path, stage: str, script: str, **more: Any) -> dict[str, Any]:
    """A hook that keeps the state it is given in a file named after its stage."""
    record = f"/{stage}" if stage == "startContainer" else f"{folder}/{stage}"
    return {"path": "/bin/sh", "args": ["sh", "-c", f"PATH=/bin:/usr/bin; cat > {record}; {script}"], **more}


def test_hooks_run_in_their_order_with_the_state(runtime: bundle.Runtime, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    order = tmp_path / "order"

    def change(config: dict[str, Any]) -> None:
        config["root"]["readonly"] = False
        config["annotations"] = {"a": "b"}
        config["hostname"] = "inside"
        config["hooks"] = {
            stage: [hook_of(tmp_path, stage, "true" if stage == "startContainer" else f"echo {stage} $(hostname) >> {order}")]
            for stage in STAGES
        }

    bundle.make(folder, change, "sh", "-c", "test -s /startContainer")
    assert runtime("create", "--bundle", str(folder), "oci-hooks").returncode == 0
    here = socket.gethostname()
    assert order.read_text().splitlines() == [f"prestart {here}", f"createRuntime {here}", f"createContainer {here}"]
    assert not (folder / "rootfs/startContainer").exists()
    assert runtime("start", "oci-hooks").returncode == 0
    wait_for(runtime, "oci-hooks", "stopped")
    assert runtime("delete", "oci-hooks").returncode == 0
    assert [line.split()[0] for line in order.read_text().splitlines()[3:]] == ["poststart", "poststop"]
    states = {
        stage: json.loads((folder / "rootfs" / stage if stage == "startContainer" else tmp_path / stage).read_text())
        for stage in STAGES
    }
    assert [states[stage]["status"] for stage in STAGES[:4]] == ["creating", "creating", "creating", "created"]
    assert states["poststop"]["status"] == "stopped"
    assert all(
        (state["id"], state["annotations"], state["bundle"]) == ("oci-hooks", {"a": "b"}, str(folder))
        for state in states.values()
    )


def test_a_pid_namespace_is_joined(either: bundle.Runtime, tmp_path: Path) -> None:
    assert either("run", "-d", "--bundle", str(bundle.make(tmp_path / "a", None, "sleep", "60")), "oci-one").returncode == 0
    path = f"/proc/{either.state('oci-one')['pid']}/ns/pid"

    def change(config: dict[str, Any], path: str = path) -> None:
        config["root"]["readonly"] = False
        namespaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [kept for kept in namespaces if kept["type"] != "pid"] + [{"type": "pid", "path": path}]
        config["hooks"] = {stage: [hook_of(tmp_path, stage, "true")] for stage in ("createRuntime", "startContainer")}

    script = "readlink /proc/self/ns/pid; test -s /startContainer && ps"
    folder = bundle.make(tmp_path / "b", change, "sh", "-c", script)
    done = either("run", "--bundle", str(folder), "oci-two")
    assert done.stdout.splitlines()[0] == os.readlink(path) and "sleep 60" in done.stdout, done
    assert json.loads((tmp_path / "createRuntime").read_text())["pid"] > 1
    wrong = bundle.make(tmp_path / "c", lambda config: change(config, "/proc/self/ns/net"), "true")
    assert either("run", "--bundle", str(wrong), "oci-three").returncode == 1


@pytest.mark.parametrize("stage", ["prestart", "createRuntime", "createContainer", "startContainer"])
@pytest.mark.parametrize(("script", "said"), [("echo no >&2; exit 3", "exit status 3"), ("sleep 30", "it was killed")])
def test_a_hook_that_fails_ends_the_container(
    runtime: bundle.Runtime, tmp_path: Path, stage: str, script: str, said: str
) -> None:
    def change(config: dict[str, Any]) -> None:
        config["root"]["readonly"] = False
        config["hooks"] = {stage: [hook_of(tmp_path, stage, script, timeout=1)]}

    bundle.make(tmp_path / "b", change, "sleep", "60")
    done = runtime("create", "--bundle", str(tmp_path / "b"), "oci-hookless")
    if stage == "startContainer":
        assert done.returncode == 0
        done = runtime("start", "oci-hookless")
        assert runtime.state("oci-hookless")["status"] == "stopped"
    else:
        assert runtime("state", "oci-hookless").returncode == 1
    assert done.returncode == 1 and stage in done.stderr and said in done.stderr


def test_a_hook_of_the_container_has_no_more_rights_than_it(runtime: bundle.Runtime, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["process"] |= {"user": {"uid": 33, "gid": 33}, "capabilities": {}}
        config["mounts"].append({"destination": "/t", "type": "tmpfs", "options": ["mode=1777"]})
        script = "grep CapBnd /proc/self/status; id -u"
        config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", f"PATH=/bin; ({script}) > /t/who"]}]}

    folder = bundle.make(tmp_path / "b", change, "cat", "/t/who")
    done = runtime("run", "--bundle", str(folder), "oci-rights")
    assert done.stdout.split() == ["CapBnd:", "0000000000000000", "33"]


def test_the_seccomp_filter_is_in_force_for_exec_too(either: bundle.Runtime, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
        config["mounts"].append({"destination": "/t", "type": "tmpfs"})

    folder = bundle.make(tmp_path / "b", change, "sh", "-c", "mkdir /t/x; grep ^Seccomp: /proc/self/status; sleep 50")
    assert either("run", "-d", "--bundle", str(folder), "oci-filter").returncode == 0
    done = either("exec", "oci-filter", "sh", "-c", "mkdir /t/x; grep ^Seccomp: /proc/self/status; ls /t")
    assert done.stdout.split() == ["Seccomp:", "2"]
    assert "No space left on device" in done.stderr


def test_errors_are_logged_as_json(runtime: bundle.Runtime, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = bundle.Runtime([*runtime.command[:-2], "--log", str(log), "--log-format=json"], tmp_path / "r")("state", "nobody")
    assert done.returncode == 1
    entry = json.loads(log.read_text())
    assert entry["level"] == "error" and "does not exist" in entry["msg"] and entry["time"]


def test_features_and_update(runtime: bundle.Runtime, tmp_path: Path) -> None:
    assert set(json.loads(runtime("features").stdout)["hooks"]) == set(STAGES)
    folder = bundle.make(tmp_path / "b", None, "sleep", "60")
    assert runtime("run", "-d", "--bundle", str(folder), "oci-up").returncode == 0
    assert runtime("update", "--pids-limit", "77", "oci-up").returncode == 0
    # not by glob, which fails where a group of another worker goes meanwhile
    groups = [
        Path(folder) for folder, _, files in os.walk("/sys/fs/cgroup") if folder.endswith("/oci-up") and "pids.max" in files
    ]
    assert [(group / "pids.max").read_text() for group in groups] == ["77\n"]
    assert "systemd" in bundle.Runtime([*runtime.command[:-2], "--systemd-cgroup"], tmp_path / "r")("list").stderr


def test_the_command_imports_little(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = "import sys; from moby_tui.oci import command_line, creation, starting, look; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"typer", "msgspec", "asyncio", "argparse", "subprocess", "logging", "typing_extensions"} & set(loaded)
