"""``-it`` under a terminal of the test's own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moby_tui.cli.terminal.detach import configured_keys

Cli = Callable[..., subprocess.CompletedProcess[str]]
Begin = Callable[..., "subprocess.Popen[bytes]"]
ALONE = ("--network", "none")


class Screen:
    """The near end of a terminal."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.seen = b""
        self.resize(30, 100)

    def resize(self, height: int, width: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def expect(self, text: bytes, patience: float = 20) -> None:
        """Waits until the text has come."""
        end = time.monotonic() + patience
        while text not in self.seen:
            ready, _, _ = select.select([self.ours], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{text!r} did not come: {self.seen!r}"
            self.seen += os.read(self.ours, 4096)
        self.seen = self.seen.partition(text)[2]

    def attributes(self) -> list[object]:
        return termios.tcgetattr(self.theirs)


@pytest.fixture
def screen() -> Iterator[Screen]:
    opened = Screen()
    yield opened
    os.close(opened.ours)
    os.close(opened.theirs)


def attached(begin: Begin, screen: Screen, *arguments: str) -> subprocess.Popen[bytes]:
    return begin(*arguments, stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs, start_new_session=True)


def test_shell(box: Cli, begin: Begin, screen: Screen) -> None:
    before = screen.attributes()
    process = attached(begin, screen, "run", "-it", "--rm", *ALONE, "box", "sh")
    screen.expect(b"# ")
    screen.type(b"stty size; tty; echo $TERM\r")
    screen.expect(b"30 100\r\n/dev/pts/0\r\nxterm\r\n")
    screen.resize(40, 120)
    process.send_signal(signal.SIGWINCH)
    screen.type(b"sleep 0.3; stty size\r")
    screen.expect(b"40 120")
    screen.type(b"sleep 100\r")
    time.sleep(0.3)
    screen.type(b"\x03exit 6\r")
    assert process.wait(20) == 6
    assert screen.attributes() == before


def test_detach_and_attach_again(box: Cli, begin: Begin, screen: Screen) -> None:
    before = screen.attributes()
    process = attached(begin, screen, "run", "-it", "--name", "shell", *ALONE, "box", "sh")
    screen.expect(b"# ")
    screen.type(b"x=kept\r\x10\x11")
    assert process.wait(20) == 0
    assert screen.attributes() == before
    assert box("ps", "--format", "{{.Names}}").stdout == "shell\n"
    process = attached(begin, screen, "attach", "--detach-keys", "ctrl-x", "shell")
    time.sleep(0.3)
    screen.type(b"\recho $x again\r")
    screen.expect(b"kept again")
    screen.type(b"\x18")
    assert process.wait(20) == 0
    process = attached(begin, screen, "exec", "-it", "shell", "sh", "-c", "tty; exit 9")
    screen.expect(b"/dev/pts/")
    assert process.wait(20) == 9
    assert screen.attributes() == before


def test_terminal_is_restored_when_terminated(box: Cli, begin: Begin, screen: Screen) -> None:
    before = screen.attributes()
    process = attached(begin, screen, "run", "-it", "--name", "left", *ALONE, "box", "sh")
    screen.expect(b"# ")
    assert screen.attributes() != before
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert screen.attributes() == before
    assert box("ps", "--format", "{{.Names}}").stdout == "left\n"


def test_terminal_is_restored_when_the_start_fails(box: Cli, begin: Begin, screen: Screen) -> None:
    before = screen.attributes()
    process = attached(begin, screen, "run", "-it", "--rm", *ALONE, "box", "/no/such")
    assert process.wait(20) == 127
    assert screen.attributes() == before
    assert box("ps", "-aq").stdout == ""


def test_the_users_own_detach_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert configured_keys("") == "ctrl-p,ctrl-q"
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-e,e"}')
    assert configured_keys("") == "ctrl-e,e"
    assert configured_keys("ctrl-x") == "ctrl-x"
    (tmp_path / "config.json").write_text("not json")
    assert configured_keys("") == "ctrl-p,ctrl-q"
