"""The real docker CLI against the real engine."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import struct
import termios
from pathlib import Path

import images_data
from api.world import Docker
from moby_tui.version import API_VERSION, VERSION
from servers.registry import running


async def test_version_and_info(docker: Docker) -> None:
    version = json.loads((await docker("version", "--format", "{{json .Server}}")).out)
    assert (version["Version"], version["ApiVersion"]) == (VERSION, API_VERSION)
    assert f"Server Version: {VERSION}" in (await docker("info")).out


async def test_run_tells_output_errors_and_status(docker: Docker) -> None:
    done = await docker("run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert done == (3, "out\n", "err\n")
    assert (await docker("ps", "-aq")).out == ""


async def test_run_carries_input_to_its_end(docker: Docker) -> None:
    text = b"line\n" * 50_000
    done = await docker("run", "--rm", "-i", "--network", "none", "busybox", "cat", stdin=text)
    assert done.out.encode() == text


async def test_run_of_a_missing_command_ends_with_127(docker: Docker) -> None:
    done = await docker("run", "--rm", "--network", "none", "busybox", "/no/such", check=False)
    assert done.status == 127 and "Error response from daemon" in done.err
    done = await docker("run", "--rm", "--network", "none", "busybox", "/etc", check=False)
    assert done.status == 126


async def test_a_detached_container_through_its_life(docker: Docker) -> None:
    run = await docker("run", "-d", "--name", "web", "--label", "a=b", "--network", "none", "busybox", "sleep", "1000")
    container = run.out.strip()
    assert "web" in (await docker("ps")).out
    assert (await docker("ps", "-q", "--no-trunc", "--filter", "label=a=b")).out.strip() == container
    [inspected] = json.loads((await docker("inspect", "web")).out)
    assert (inspected["Id"], inspected["Name"], inspected["State"]["Status"]) == (container, "/web", "running")
    assert "IPAddress" in inspected["NetworkSettings"]
    assert "sleep 1000" in (await docker("top", "web")).out
    await docker("pause", "web")
    assert "Paused" in (await docker("ps")).out
    await docker("unpause", "web")
    await docker("rename", "web", "site")
    await docker("restart", "-t", "0", "site")
    assert (await docker("stop", "-t", "0", "site")).out == "site\n"
    assert (await docker("wait", "site")).out == "137\n"
    await docker("start", "site")
    await docker("kill", "site")
    refused = await docker("kill", "site", check=False)
    assert refused.status == 1 and "is not running" in refused.err
    await docker("rm", "site")
    gone = await docker("inspect", "--type", "container", "site", check=False)
    assert "No such container: site" in gone.err


async def test_logs_follow_until_the_container_ends(docker: Docker) -> None:
    await docker("run", "-d", "--name", "logger", "--network", "none", "busybox", "sh", "-c", "echo one; sleep 1; echo two >&2")
    assert await docker("logs", "-f", "logger") == (0, "one\n", "two\n")
    assert (await docker("logs", "-t", "--tail", "1", "logger")).err.endswith("Z two\n")


async def test_exec(docker: Docker) -> None:
    await docker("run", "-d", "--name", "box", "--network", "none", "busybox", "sleep", "1000")
    assert await docker("exec", "-e", "A=b", "box", "sh", "-c", "echo $A; exit 4", check=False) == (4, "b\n", "")
    assert (await docker("exec", "-i", "box", "cat", stdin=b"x" * 300_000)).out == "x" * 300_000
    missing = await docker("exec", "box", "/no/such", check=False)
    assert missing.status == 127
    await docker("exec", "-d", "box", "touch", "/made")
    assert "/made" in (await docker("diff", "box")).out
    await docker("rm", "-f", "box")
    assert "No such container" in (await docker("exec", "box", "true", check=False)).err


class Terminal:
    """A pseudo terminal with a docker command in it."""

    def __init__(self, rows: int, columns: int) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        os.set_blocking(self.master, False)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def start(self, docker: Docker, *arguments: str) -> asyncio.subprocess.Process:
        ends = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
        process = await docker.start(*arguments, **ends, preexec_fn=self._own)
        os.close(self.slave)
        return process

    def _own(self) -> None:
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    async def expect(self, text: bytes) -> None:
        for _ in range(400):
            try:
                self.seen += os.read(self.master, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.05)
            except OSError:
                break
            if text in self.seen:
                self.seen = self.seen.partition(text)[2]
                return
        raise AssertionError(f"{text!r} not in {self.seen!r}")

    def close(self) -> None:
        os.close(self.master)


async def test_run_with_a_terminal_and_resize(docker: Docker) -> None:
    terminal = Terminal(31, 97)
    process = await terminal.start(docker, "run", "-it", "--rm", "--network", "none", "busybox", "sh")
    terminal.type(b"echo re''ady\n")
    await terminal.expect(b"ready")
    terminal.type(b"stty size\n")
    await terminal.expect(b"31 97")
    terminal.resize(22, 66)
    await asyncio.sleep(0.5)
    terminal.type(b"stty size\n")
    await terminal.expect(b"22 66")
    terminal.type(b"exit 5\n")
    assert await asyncio.wait_for(process.wait(), 20) == 5
    terminal.close()


async def test_exec_with_a_terminal(docker: Docker) -> None:
    await docker("run", "-d", "--name", "box", "--network", "none", "busybox", "sleep", "1000")
    terminal = Terminal(24, 80)
    process = await terminal.start(docker, "exec", "-it", "box", "sh")
    terminal.type(b"tty && echo y''es\n")
    await terminal.expect(b"yes")
    terminal.type(b"exit 6\n")
    assert await asyncio.wait_for(process.wait(), 20) == 6
    terminal.close()


async def test_attach_and_detach_by_keys(docker: Docker) -> None:
    await docker("run", "-dit", "--name", "shell", "--network", "none", "busybox", "sh")
    terminal = Terminal(24, 80)
    process = await terminal.start(docker, "attach", "shell")
    terminal.type(b"echo he''llo\n")
    await terminal.expect(b"hello")
    terminal.type(b"\x10\x11")
    await terminal.expect(b"read escape sequence")
    await asyncio.wait_for(process.wait(), 20)
    terminal.close()
    assert "Up" in (await docker("ps", "--filter", "name=shell")).out


async def test_events(docker: Docker) -> None:
    process = await docker.start("events", "--format", "{{.Type}} {{.Action}}", "--filter", "type=container")
    await asyncio.sleep(1)
    await docker("run", "--rm", "--name", "ev", "--network", "none", "busybox", "true")
    assert process.stdout
    seen = []
    while "container destroy" not in seen:
        seen.append((await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip())
    process.terminate()
    await process.wait()
    assert [line for line in seen if line.split()[1] in ("create", "start", "die", "destroy")] == [
        "container create",
        "container start",
        "container die",
        "container destroy",
    ]


async def test_stats(docker: Docker) -> None:
    await docker("run", "-d", "--name", "busy", "--network", "none", "busybox", "sleep", "1000")
    row = json.loads((await docker("stats", "--no-stream", "--format", "json")).out)
    assert row["Name"] == "busy" and row["PIDs"] == "1"


async def test_cp_both_ways(docker: Docker, tmp_path: Path) -> None:
    await docker("run", "-d", "--name", "files", "--network", "none", "busybox", "sleep", "1000")
    (tmp_path / "in").write_text("hello")
    await docker("cp", str(tmp_path / "in"), "files:/there")
    assert (await docker("exec", "files", "cat", "/there")).out == "hello"
    await docker("cp", "files:/there", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "hello"
    assert (await docker("cp", "files:/none", str(tmp_path), check=False)).status == 1


async def test_cp_of_a_container_that_does_not_run(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello")
    asked = ["--read-only", "-v", "named:/m", "-v", f"{tmp_path}:/ro:ro", "--network", "none"]
    await docker("create", "--name", "files", *asked, "busybox", "cat", "/m/in")
    await docker("cp", str(tmp_path / "in"), "files:/m")
    await docker("cp", "files:/ro/in", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "hello"
    for path, refused in {"/ro": "mounted volume is marked read-only", "/bin": "container rootfs is marked read-only"}.items():
        done = await docker("cp", str(tmp_path / "in"), f"files:{path}", check=False)
        assert done.status == 1 and refused in done.err
    assert (await docker("start", "-a", "files")).out == "hello"


async def test_images(docker: Docker, busybox_archive: Path) -> None:
    assert "busybox" in (await docker("images")).out
    [image] = json.loads((await docker("image", "inspect", "busybox")).out)
    assert image["Id"].startswith("sha256:") and "busybox:latest" in image["RepoTags"]
    assert "<none>" not in (await docker("history", "-q", "busybox")).out
    await docker("tag", "busybox", "reg.example:5000/a/b:v1")
    assert json.loads((await docker("image", "inspect", "reg.example:5000/a/b:v1")).out)[0]["Id"] == image["Id"]
    assert "Untagged: reg.example:5000/a/b:v1" in (await docker("rmi", "reg.example:5000/a/b:v1")).out
    await docker("rmi", "busybox")
    assert "Loaded image: busybox:latest" in (await docker("load", "-i", str(busybox_archive))).out
    unknown = await docker("image", "inspect", "none", check=False)
    assert "No such image: none" in unknown.err


async def test_commit(docker: Docker) -> None:
    await docker("run", "--name", "source", "--network", "none", "busybox", "sh", "-c", "echo made > /made")
    done = await docker("commit", "-a", "Ada", "-m", "note", "-c", 'CMD ["cat", "/made"]', "-c", "ENV A=1", "source", "mine:2")
    assert done.out.startswith("sha256:")
    assert (await docker("run", "--rm", "--network", "none", "mine:2")).out == "made\n"
    seen = json.loads((await docker("inspect", "mine:2")).out)[0]
    assert (seen["Id"], seen["Author"], seen["Comment"]) == (done.out.strip(), "Ada", "note")
    assert "A=1" in seen["Config"]["Env"]
    refused = await docker("commit", "-c", "RUN true", "source", check=False)
    assert refused.status == 1 and "RUN is not a valid change command" in refused.err


async def test_save_and_load(docker: Docker, tmp_path: Path) -> None:
    archive = str(tmp_path / "saved.tar")
    await docker("tag", "busybox", "other:1")
    await docker("save", "-o", archive, "other:1", "busybox")
    await docker("rmi", "other:1")
    assert (await docker("load", "-i", archive)).out == "Loaded image: other:1\nLoaded image: busybox:latest\n"
    refused = await docker("save", "-o", archive, "nothing", check=False)
    assert refused.status == 1 and "No such image: nothing" in refused.err


async def test_import_and_export(docker: Docker, tmp_path: Path) -> None:
    await docker("create", "--name", "tree", "--network", "none", "busybox", "true")
    await docker("export", "-o", str(tmp_path / "x.tar"), "tree")
    await docker("import", "-c", 'CMD ["echo", "imported"]', str(tmp_path / "x.tar"), "imported:1")
    assert (await docker("run", "--rm", "--network", "none", "imported:1")).out == "imported\n"


async def test_networks_and_volumes(docker: Docker) -> None:
    assert {"bridge", "host", "none"} <= set((await docker("network", "ls", "--format", "{{.Name}}")).out.split())
    assert json.loads((await docker("network", "inspect", "bridge")).out)[0]["Driver"] == "bridge"
    assert (await docker("volume", "create", "data")).out == "data\n"
    assert "data" in (await docker("volume", "ls", "-q")).out.split()
    await docker("run", "--rm", "--network", "none", "-v", "data:/data", "busybox", "touch", "/data/file")
    mountpoint = json.loads((await docker("volume", "inspect", "data")).out)[0]["Mountpoint"]
    assert (Path(mountpoint) / "file").exists()
    await docker("volume", "rm", "data")
    assert "no such volume" in (await docker("volume", "inspect", "data", check=False)).err


async def test_port_and_prune_and_df(docker: Docker) -> None:
    await docker("run", "-d", "--name", "web", "-p", "127.0.0.1:0:80", "busybox", "sleep", "1000")
    assert (await docker("port", "web")).out.startswith("80/tcp -> 127.0.0.1:")
    await docker("rm", "-f", "web")
    await docker("create", "--network", "none", "busybox", "true")
    assert "Images" in (await docker("system", "df")).out
    pruned = await docker("container", "prune", "-f")
    assert "Deleted Containers" in pruned.out
    for kind in ("image", "volume"):
        assert "Total reclaimed space" in (await docker(kind, "prune", "-f")).out


async def test_swarm_and_login_are_refused_in_words(docker: Docker) -> None:
    assert "not a swarm manager" in (await docker("service", "ls", check=False)).err
    assert "not supported on this platform" in (await docker("plugin", "install", "n", check=False)).err


async def test_pull(docker: Docker, tmp_path: Path) -> None:
    with running(tmp_path / "registry") as registry:
        registry.push("a/box", "1", images_data.busybox())
        reference = f"{registry.address}/a/box:1"
        assert f"Status: Downloaded newer image for {reference}" in (await docker("pull", reference)).out
        assert "Image is up to date" in (await docker("pull", reference)).out
        assert (await docker("run", "--rm", "--network", "none", reference, "echo", "pulled")).out == "pulled\n"
        missing = await docker("pull", f"{registry.address}/a/box:2", check=False)
        assert missing.status == 1 and missing.err


async def test_build_with_the_classic_builder(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM busybox\nARG WORD\nENV WORD=$WORD\nCMD ["sh", "-c", "echo $WORD"]\n')
    build = await docker("build", "-t", "built:1", "--build-arg", "WORD=made", str(tmp_path))
    assert "Successfully tagged built:1" in build.out
    assert (await docker("run", "--rm", "--network", "none", "built:1")).out == "made\n"
