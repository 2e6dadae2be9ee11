"""``run``, ``create``, ``start``, ``exec``: what comes out, and the exit codes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
Begin = Callable[..., "subprocess.Popen[bytes]"]
ALONE = ("--network", "none")


def test_output_and_exit_code(box: Cli) -> None:
    done = box("run", "--rm", *ALONE, "box", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    assert box("ps", "-aq").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("box", "/no/such"), 127, "no such"),
        (("box", "/etc"), 126, ""),
        (("--name", "x!", "box", "true"), 125, ""),
        (("--pull", "never", "no-such-image", "true"), 125, "no such image"),
        (("--restart", "sometimes", "box", "true"), 125, "unknown policy 'sometimes'"),
        (("--health-on-failure", "pray", "box", "true"), 125, "use none, kill, restart or stop"),
    ],
)
def test_what_cannot_run(box: Cli, arguments: tuple[str, ...], status: int, message: str) -> None:
    done = box("run", *ALONE, *arguments, check=False)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("moby: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr.lower()


def test_a_name_is_taken_once(box: Cli) -> None:
    box("create", "--name", "one", "box", "true")
    done = box("run", "--name", "one", "box", "true", check=False)
    assert done.returncode == 125
    assert "already in use by container" in done.stderr


def test_killed_by_a_signal(box: Cli) -> None:
    assert box("run", "--rm", *ALONE, "box", "sh", "-c", "kill -9 $$; sleep 9", check=False).returncode in (0, 137)
    assert (
        box("run", "--rm", *ALONE, "--init=false", "box", "sh", "-c", "sh -c 'kill -9 $$'; exit $?", check=False).returncode
        == 137
    )


def test_input_is_passed_and_closed(box: Cli) -> None:
    text = "line\n" * 20000
    assert box("run", "--rm", "-i", *ALONE, "box", "cat", input=text).stdout == text
    assert box("run", "--rm", *ALONE, "box", "cat", input="not for the container").stdout == ""


def test_input_from_a_file(box: Cli, tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_text("from a file\n")
    with file.open() as stdin:
        assert box("run", "--rm", "-i", *ALONE, "box", "cat", stdin=stdin).stdout == "from a file\n"


def test_signals_are_passed_on(box: Cli, begin: Begin) -> None:
    process = begin(
        "run", "--rm", *ALONE, "box", "sh", "-c", "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == b"got it\n"
    assert process.wait(20) == 5


def test_detached(box: Cli, tmp_path: Path) -> None:
    cidfile = tmp_path / "cid"
    ident = box("run", "-d", "--cidfile", str(cidfile), "--name", "back", *ALONE, "box", "sleep", "100").stdout.strip()
    assert len(ident) == 64
    assert cidfile.read_text() == ident
    assert box("ps", "-q", "--no-trunc").stdout.strip() == ident
    assert box("run", "--cidfile", str(cidfile), "box", "true", check=False).returncode == 125
    assert box("exec", "back", "sh", "-c", "echo inside; exit 3", check=False).returncode == 3
    assert box("exec", "-e", "A=1", "-w", "/tmp", "back", "sh", "-c", "echo $A $PWD").stdout == "1 /tmp\n"
    assert box("exec", "-i", "back", "cat", input="typed").stdout == "typed"
    assert box("exec", "back", "/no/such", check=False).returncode == 127
    assert box("exec", "-d", "back", "touch", "/tmp/made").stdout == ""
    assert box("stop", "-t", "0", "back").stdout == "back\n"
    assert box("wait", "back").stdout == "137\n"
    done = box("exec", "back", "true", check=False)
    assert done.returncode == 1
    assert "is not running" in done.stderr


def test_create_then_start_attached(box: Cli) -> None:
    ident = box("create", "-i", *ALONE, "box", "sh", "-c", "read x; echo got $x; exit 4").stdout.strip()
    done = box("start", "-a", "-i", ident, input="this\n", check=False)
    assert (done.stdout, done.returncode) == ("got this\n", 4)


def test_options_reach_the_container(box: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("shared\n")
    tmp_path.chmod(0o755)
    done = box(
        *(
            "run",
            "--rm",
            *ALONE,
            "-h",
            "named",
            "-e",
            "A=b",
            "-w",
            "/tmp",
            "-u",
            "5:6",
            "-v",
            f"{tmp_path}:/data:ro",
            "--tmpfs",
            "/scratch",
        ),
        *(
            "--entrypoint",
            "sh",
            "box",
            "-c",
            "hostname; echo $A; pwd; id -u; id -g; cat /data/file; touch /data/x || echo read-only",
        ),
    )
    assert done.stdout.split() == ["named", "b", "/tmp", "5", "6", "shared", "read-only"]


def test_a_broken_pipe_is_quiet(box: Cli, begin: Begin) -> None:
    box("run", "-d", "--name", "talks", *ALONE, "box", "sh", "-c", "seq 100000")
    box("wait", "talks")
    process = begin("logs", "talks")
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    process.stdout.close()
    process.stdout = None
    assert process.wait(20) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
