"""The dashboard in a real browser, over the real engine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate
from web.browser import open_page


class Served:
    """``moby tui --web`` on the test's roots."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process, self.address = process, address

    def sessions(self) -> list[int]:
        """The processes of the dashboards that are open."""
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]


@pytest.fixture
async def served(roots: tuple[Path, Path]) -> AsyncIterator[Served]:
    environment = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moby_tui", "tui", "--web", "--port", "0"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    yield Served(process, line.split()[-1])
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_rows_appear_and_keys_work(engine: Engine, busybox: str, served: Served, tmp_path: Path) -> None:
    await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"]), name="seen-from-afar")
    async with open_page(tmp_path) as page:
        await page.open(served.address)
        await page.see("seen-from-afar", "created", "Containers")
        (session,) = served.sessions()
        await page.press("2")
        await page.see("busybox", "latest")

        server = served.address.partition("/?")[0]
        asked = page.requested()
        assert any(address.endswith("/textual.js") for address in asked)
        # nothing is loaded from elsewhere; the token is in no address but the first
        assert [address for address in asked if not address.startswith((server, server.replace("http", "ws", 1), "data:"))] == []
        assert page.told() == []
        assert "token" not in await page.evaluate("location.href")
        assert await page.evaluate("document.cookie") == ""

        token = served.address.partition("token=")[2].encode()
        for pid, names in ((served.process.pid, ["cmdline"]), (session, ["cmdline", "environ"])):
            assert all(token not in Path(f"/proc/{pid}/{name}").read_bytes() for name in names)
        served.process.send_signal(signal.SIGTERM)
        assert await served.process.wait() == 0
        assert not os.path.exists(f"/proc/{session}")
