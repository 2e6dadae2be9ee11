"""The HTTP server behind ``moby tui --web``: one page, the files that it loads, and a WebSocket for each page that is open."""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import signal
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from moby_tui.errors import Forbidden, InvalidArgument, MobyError
from moby_tui.web.admission import Admission
from moby_tui.web.session import Session

#: Dashboards at once: each is a process of some 80 MB.
MOST_SESSIONS = 8
#: Bytes of one message: what is pasted at once.
_MOST_PASTED = 1024 * 1024
_HEARTBEAT = 15.0
_HERE = Path(__file__).parent
#: The files of the page: name, file (of textual-serve, or ours), kind.
_FILES = {
    "": (_HERE, "page.html", "text/html"),
    "page.css": (_HERE, "page.css", "text/css"),
    "page.js": (_HERE, "page.js", "text/javascript"),
    "textual.js": (None, "js/textual.js", "text/javascript"),
    "xterm.css": (None, "css/xterm.css", "text/css"),
    "roboto-mono.ttf": (None, "fonts/RobotoMono-VariableFont_wght.ttf", "font/ttf"),
    "roboto-mono-italic.ttf": (None, "fonts/RobotoMono-Italic-VariableFont_wght.ttf", "font/ttf"),
}
#: Nothing is loaded from elsewhere, and no other page shows this one. The terminal sets styles of its own.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Cells = Annotated[int, msgspec.Meta(ge=1, le=2000)]


class _Size(msgspec.Struct):
    width: _Cells
    height: _Cells


# What the page sends, as textual-serve's script writes it: a list with a word before what belongs to it.
class _Typed(msgspec.Struct, array_like=True, tag="stdin"):
    text: str


class _Resized(msgspec.Struct, array_like=True, tag="resize"):
    size: _Size


class _Focused(msgspec.Struct, array_like=True, tag="focus"):
    pass


class _Blurred(msgspec.Struct, array_like=True, tag="blur"):
    pass


class _Ping(msgspec.Struct, array_like=True, tag="ping"):
    moment: str


_Message = _Typed | _Resized | _Focused | _Blurred | _Ping


def bind(host: str, port: int, *, remote: bool) -> socket.socket:
    """A listening socket. Raises ``InvalidArgument`` for what is no address of this machine or, without ``remote``, no loopback address."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise InvalidArgument(f"invalid --host {host!r}: give an address of this machine, as 127.0.0.1 or ::1") from None
    if not (address.is_loopback or remote):
        raise InvalidArgument(
            f"--host {host}: others could reach the dashboard, and read along, since it speaks HTTP without TLS; "
            "forward the port with ssh -L instead, or give --allow-remote"
        )
    sock = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(address), port))
        sock.listen(128)
    except (OSError, OverflowError) as error:
        sock.close()
        why = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
        raise InvalidArgument(
            f"cannot listen on port {port} of {host}: {why}; --port chooses another, 0 one that is free"
        ) from None
    return sock


def terminal_files() -> Path:
    """The folder with the browser's terminal. Raises ``MobyError`` where textual-serve is not installed."""
    package = importlib.util.find_spec("textual_serve")
    if package is None or not package.submodule_search_locations:
        raise MobyError("moby tui --web needs the package textual-serve: install it with pip install 'moby-tui[web]'")
    return Path(package.submodule_search_locations[0]) / "static"


async def serve(
    sock: socket.socket,
    command: Sequence[str],
    environment: Mapping[str, str],
    announce: Callable[[str], None],
    *,
    names: Collection[str] = (),
) -> None:
    """Serves dashboards on the socket until SIGINT, SIGTERM or SIGHUP; then ends them all.

    ``command`` makes one, with ``environment`` besides this process's own. ``announce`` is called with the address once it answers.
    ``names`` are hosts that the server may be called. Raises ``MobyError``.
    """
    server = Server(command, environment, Admission(names), terminal_files())
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        host, port = sock.getsockname()[:2]
        announce(f"http://{f'[{host}]' if ':' in host else host}:{port}/?token={server.admission.token}")
        await end.wait()
    finally:
        await server.close()
        await runner.cleanup()


class Server:
    """The page, its files and its sessions."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], admission: Admission, terminal: Path) -> None:
        self._command, self._environment, self._terminal = command, environment, terminal
        self.admission = admission
        self._sockets: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._check])
        application.on_response_prepare.append(_set_headers)
        application.router.add_get("/", self._enter)
        application.router.add_get(f"{self.admission.path}/ws", self._hold_session)
        for name, (folder, file, kind) in _FILES.items():
            application.router.add_get(f"{self.admission.path}/{name}", _file((folder or self._terminal) / file, kind))
        return application

    async def close(self) -> None:
        """Ends every session."""
        for open_socket in [*self._sockets]:
            await open_socket.close(code=WSCloseCode.GOING_AWAY)

    @web.middleware
    async def _check(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            self.admission.check_place(request)
            if request.path != "/":
                self.admission.check_key(request)
            return await handler(request)
        except Forbidden as error:
            return web.Response(status=403, text=f"{error.message}\n")

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        return self.admission.admit(request)

    async def _hold_session(self, request: web.Request) -> web.StreamResponse:
        """A dashboard for as long as the page is open, or the other way round."""
        self.admission.check_socket(request)
        if len(self._sockets) >= MOST_SESSIONS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_SESSIONS} dashboards are open: close one first\n")
        page = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_MOST_PASTED)
        self._sockets.add(page)
        try:
            await page.prepare(request)
            await self._run(page, _size(request))
        finally:
            self._sockets.discard(page)
        return page

    async def _run(self, page: web.WebSocketResponse, size: _Size) -> None:
        session = await Session.start(self._command, self._environment, size.width, size.height)
        drawing = asyncio.create_task(_draw(session, page))
        try:
            async for message in page:
                if message.type is not WSMsgType.TEXT or not await _hand_on(message.data, session, page):
                    await page.close(code=WSCloseCode.POLICY_VIOLATION)
        finally:
            drawing.cancel()
            await asyncio.wait([drawing])
            await session.end()


async def _draw(session: Session, page: web.WebSocketResponse) -> None:
    try:
        async for data in session.output():
            await page.send_bytes(data)
    except ConnectionError:
        return  # the page is gone
    await page.close()


async def _hand_on(data: str, session: Session, page: web.WebSocketResponse) -> bool:
    """Does what the page says. False for what it cannot have said."""
    try:
        message = msgspec.json.decode(data, type=_Message)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    match message:
        case _Typed(text):
            await session.type(text)
        case _Resized(size):
            await session.tell(type="resize", width=size.width, height=size.height)
        case _Focused():
            await session.tell(type="focus")
        case _Blurred():
            await session.tell(type="blur")
        case _Ping(moment):
            await page.send_json(["pong", moment])
    return True


def _size(request: web.Request) -> _Size:
    """The terminal's cells, as the page asks for them."""
    try:
        return msgspec.convert(dict(request.query), _Size, strict=False)
    except msgspec.ValidationError:
        return _Size(80, 24)


def _file(path: Path, kind: str) -> _Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers={"Content-Type": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind})

    return answer


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
