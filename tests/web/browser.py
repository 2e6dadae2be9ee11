"""A headless Chromium, driven by its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = "chromium-headless-shell"
_OPTIONS = (
    *("--remote-debugging-port=0", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--window-size=900,480"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-zygote"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)
#: textual.js keeps its terminal to itself: this keeps the object that has it, whose attribute ``fitAddon`` is set early.
_KEEP_TERMINAL = """
Object.defineProperty(Object.prototype, "fitAddon", {
  configurable: true,
  set(value) { window.shown = this; Object.defineProperty(this, "fitAddon", {value, writable: true}); },
});
"""
_READ_TERMINAL = """
(() => {
  const terminal = window.shown?.terminal;
  if (!terminal) return "";
  const buffer = terminal.buffer.active;
  return [...Array(terminal.rows).keys()].map(row => buffer.getLine(row)?.translateToString(true) ?? "").join("\\n");
})()
"""


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        #: what the browser told by itself: events of the protocol
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=60)
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    async def begin(self) -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=_KEEP_TERMINAL)

    async def evaluate(self, expression: str) -> Any:
        return (await self.call("Runtime.evaluate", expression=expression))["result"].get("value")

    async def open(self, address: str) -> None:
        await self.call("Page.navigate", url=address)

    async def press(self, key: str) -> None:
        """A key that writes itself."""
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def see(self, *words: str) -> str:
        """Waits until the terminal shows all of the words, and returns what it shows."""
        for _ in range(400):
            shown = str(await self.evaluate(_READ_TERMINAL))
            if all(word in shown for word in words):
                return shown
            await asyncio.sleep(0.05)
        raise AssertionError(f"{words} not in:\n{shown}\n{self.told()}")

    def told(self) -> list[dict[str, Any]]:
        """Errors of the page and of its scripts."""
        return [event for event in self.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]

    def requested(self) -> list[str]:
        """The addresses of all that the page asked for."""
        sent = [event["params"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]


@asynccontextmanager
async def open_page(folder: Path) -> AsyncIterator[Page]:
    """A browser of its own with one tab; ``folder`` is for what it keeps."""
    program = shutil.which(PROGRAM)
    assert program, f"{PROGRAM} is missing: make debian-test installs it"
    process = await asyncio.create_subprocess_exec(
        program, *_OPTIONS, f"--user-data-dir={folder}", "about:blank", stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stderr is not None
    try:
        while b"DevTools listening on " not in (line := await process.stderr.readline()):
            assert line, "the browser did not start"
        port = line.decode().rpartition("//")[2].partition("/")[0]
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://{port}/json/list") as answer:
                tab = next(one for one in await answer.json() if one["type"] == "page")
            async with client.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.begin()
                yield page
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has several processes
        await process.communicate()
