"""``moby tui`` as a person uses it: keys are typed into a real terminal and its screen is read, over real containers.

One journey for each of the twelve things for which people leave other dashboards. They share an engine and a dashboard: each begins on the
page of the containers and leaves the engine as it was.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from data_roots import fresh_roots
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding
from moby_tui.schema.network import NetworkCreate
from screens.conftest import Tmux

#: Workers share a network namespace.
PORT = str(28080 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
COMPOSE = "com.docker.compose."
WEB = "mkdir -p /srv; echo 'a note' > /srv/note; while true; do echo INFO GET /items 200; sleep 1; done"
DATABASE = "while true; do echo 'ERROR deadlock found' >&2; sleep 1; done"


def of_shop(service: str) -> dict[str, str]:
    return {f"{COMPOSE}project": "shop", f"{COMPOSE}service": service, f"{COMPOSE}container-number": "1"}


async def fill(roots: tuple[Path, Path], archive: Path) -> None:
    """Containers that run, one that failed, one that was removed, two of a project."""

    async def content() -> AsyncIterator[bytes]:
        yield archive.read_bytes()

    async with Engine.open(*roots) as engine:
        async for _ in engine.images.load(content()):
            pass
        await engine.networks.create(NetworkCreate(name="back"))
        ports: dict[str, list[PortBinding] | None] = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=PORT)]}
        wired = HostConfig(network_mode="back", port_bindings=ports)
        alone = HostConfig(network_mode="none")
        for name, line, host, labels in (
            ("web", WEB, wired, of_shop("web")),
            ("database", DATABASE, alone, of_shop("database")),
            ("import", "echo no such table >&2; exit 3", alone, {}),
            ("gone", "echo last words", alone, {}),
        ):
            asked = ContainerCreate(image="busybox", cmd=["sh", "-c", line], host_config=host, labels=labels, stop_timeout=1)
            identifier = (await engine.containers.create(asked, name=name)).id
            await engine.containers.start(identifier)
        for name in ("gone", "import"):
            await (await engine.containers.wait(name)).result()
        await engine.containers.remove("gone")


async def empty(roots: tuple[Path, Path]) -> None:
    async with Engine.open(*roots) as engine:
        for one in await engine.containers.list(all=True):
            await engine.containers.remove(one.id, force=True, volumes=True)
        await engine.networks.remove("back")


@pytest.fixture(scope="module")
def terminal(busybox_archive: Path) -> Iterator[Tmux]:
    """A terminal of 120 by 36 with the dashboard in it."""
    with fresh_roots() as roots:
        asyncio.run(fill(roots, busybox_archive))
        tmux = Tmux(roots[0].parent / "tmux")
        line = shlex.join([sys.executable, "-m", "moby_tui", "--data-root", str(roots[0]), "--exec-root", str(roots[1]), "tui"])
        home = shlex.quote(str(roots[0].parent))
        tmux("new-session", "-d", "-x", "120", "-y", "36", f"export HOME={home} XDG_CONFIG_HOME={home}; {line}")
        tmux("set-option", "-g", "remain-on-exit", "on")
        try:
            yield tmux
        finally:
            tmux("kill-server")
            asyncio.run(empty(roots))


class Person:
    """Types and reads."""

    def __init__(self, tmux: Tmux) -> None:
        self._tmux = tmux

    def type(self, words: str, *keys: str) -> None:
        """Letters as they stand, then keys by tmux's names."""
        if words:
            self._tmux("send-keys", "-l", "--", words)
        if keys:
            self._tmux("send-keys", *keys)

    async def sees(self, *words: str, but: str = "") -> str:
        """The screen, once all of this is on it together, and nothing of ``but``."""
        screen = ""
        for _ in range(600):
            screen = self._tmux("capture-pane", "-p")
            if all(word in screen for word in words) and not (but and but in screen):
                return screen
            await asyncio.sleep(0.05)
        raise AssertionError(f"{words} are not together, without {but!r}, in\n{screen}")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))


@pytest.fixture
async def person(terminal: Tmux, request: pytest.FixtureRequest) -> AsyncIterator[Person]:
    """Somebody before the page of the containers, with the cursor on web. A journey that failed leaves a new dashboard to the next."""
    failed = request.session.testsfailed
    one = Person(terminal)
    one.resize(120, 36)
    await one.sees("q Quit")
    one.type(":containers web", "Enter")
    await one.sees("─ Containers ─", "─ web ─")
    yield one
    if request.session.testsfailed > failed:
        terminal("respawn-pane", "-k")


async def test_terminal_tabs(person: Person) -> None:
    person.type("e")
    await person.sees("/ #")
    person.type("echo one-$((1+1))", "Enter")
    await person.sees("one-2")
    person.type("", "C-]", "d")
    await person.sees("─ Containers ─")
    person.type(":shells database", "Enter")
    await person.sees("1 web", "2 database", "/ #")
    person.type("", "C-]", "1")
    await person.sees("one-2")  # what was on it is still there
    person.type("", "C-]", "/")
    person.type("one-2")
    await person.sees("search one-2", "of 1 hits")
    person.type("", "Enter")
    await person.sees("looking back")
    person.type("", "Escape")
    await person.sees("ctrl+] then")  # a letter behind escape at once is another key to a terminal
    person.type("", "C-]", "d")
    await person.sees("─ Containers ─")


async def test_log_workbench(person: Person) -> None:
    person.type(":logs web database", "Enter")
    await person.sees("─ Logs · ", "INFO GET", "ERROR deadlock")
    person.type("&/dead(lock|line)/", "Enter")
    await person.sees("ERROR deadlock", " of ", but="INFO GET")
    person.type("", "Escape")
    await person.sees("INFO GET", "ERROR deadlock")


async def test_history_that_outlives_the_container(person: Person) -> None:
    person.type(":history gone", "Enter")
    screen = await person.sees("last words", "── gone was removed ──", "□ gone")
    assert "── gone ended with exit code 0 ──" in screen
    person.type("b")
    await person.sees("before its end")


async def test_plots(person: Person) -> None:
    person.type("m")
    screen = await person.sees("CPU", "MEM", "PIDS", "now")
    assert re.search(r"\d\.\d%", screen)
    person.type("8")
    await person.sees("─ Overview ─", "together", "web", "database")
    person.type("M")
    await person.sees("─ Machine", "Pressure", "load")


async def test_images(person: Person) -> None:
    person.type("2")
    await person.sees("busybox:latest", "efficiency", "bin")
    person.type("u")
    await person.sees("COMMAND", "import", "database")


async def test_files(person: Person) -> None:
    person.type("f")
    await person.sees("─ container web ─", "srv")
    person.type("/srv", "Enter")
    person.type("", "Enter")
    await person.sees("note")
    person.type("", "Down")
    await person.sees("a note")


async def test_networks_drawn(person: Person) -> None:
    person.type("T")
    await person.sees("─ back ─", "● web", f"{PORT}→80")
    person.type("x")
    await person.sees(PORT, "web")


async def test_problems(person: Person) -> None:
    person.type("9")
    await person.sees("─ Problems ─", "exit code 3: the program failed", "no such table")


async def test_everything_is_a_command(person: Person) -> None:
    person.type(":ima")
    await person.sees(":ima", "images")
    person.type("", "Tab", "Enter")
    await person.sees("─ Images ─")
    person.type(":", "Up")
    await person.sees(" :image")
    person.type("", "Escape")
    await person.sees("q Quit", but=" :image")
    person.type("", "C-p")
    await person.sees("Search for commands")
    person.type("go to volumes")
    await person.sees("Go to volumes")
    person.type("", "Enter")
    await person.sees("─ Volumes ─")
    person.type("[")
    await person.sees("─ Images ─")


async def test_safe_work_on_many(person: Person) -> None:
    person.type(":mark busybox", "Enter")
    await person.sees("✓ ● web", "✓ ● import")
    person.type("d")
    await person.sees("Remove 3 containers?", "Type 3")
    person.type("2", "Enter")
    await person.sees("Remove 3 containers?")  # the wrong number removes nothing
    person.type("", "Escape")
    await person.sees("q Quit", but="Remove 3")
    person.type(":mark import", "Enter")
    await person.sees("✓ ● import", but="✓ ● web")
    person.type("d")
    await person.sees("Remove import?")
    person.type("y")
    await person.sees("goes in")
    person.type("u")
    await person.sees("exited 3")
    person.type("A")
    await person.sees("─ Activity ─", "moby rm")


async def test_projects(person: Person) -> None:
    person.type("0")
    await person.sees("─ Projects ─", "2/2 running")
    person.type(":projects shop web", "Enter")
    person.type("R")
    await person.sees("Recreate web?", "own settings")
    person.type("n")
    person.type("l")
    await person.sees("─ Logs · ", "INFO GET")


async def test_never_blank(person: Person) -> None:
    for width, height in ((60, 20), (80, 24), (220, 60)):
        person.resize(width, height)
        await person.sees("NAME", "● web", "─ web ─", "q Quit")
    person.type(":theme")
    person.type("", "Enter")
    await person.sees("moby-light")
    person.type("", "Escape")
    await person.sees("q Quit", but="moby-light")
    person.type("?")
    await person.sees("Send SIGKILL")
    person.type("", "Escape")
    await person.sees("q Quit", but="Send SIGKILL")
