"""One invocation of the command line: its global options, calls of the asynchronous client from synchronous commands, its exit codes."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotConnected, NotFound, NotImplementedYet, NotModified

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager
    from types import FrameType
    from typing import Any, TypeVar

    from moby_tui.api.client.protocol import Client
    from moby_tui.api.client.tls import Tls
    from moby_tui.cli.table.declare import TrustOptions
    from moby_tui.engine_options import EngineOptions
    from moby_tui.schema.image import RegistryAuth

    T = TypeVar("T")

#: An error of usage: a wrong option, or a request of `run` and `create` that cannot be met.
USAGE = 125
INTERRUPTED = 130
#: 128 and SIGPIPE, as a shell reports a program whose reader has gone.
BROKEN_PIPE = 141


class Leave(Exception):
    """Ends the command line with this exit code, without a word."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Session:
    """What the global options mean."""

    def __init__(
        self,
        host: str = "",
        *,
        debug: bool = False,
        login_folder: str = "",
        engine: Callable[[], EngineOptions] | None = None,
        preset: Iterable[str] = (),
        choose: Callable[[], tuple[str, Tls | None]] | None = None,
        context: str = "",
    ) -> None:
        """``choose`` gives the host and how TLS is spoken to it, when first asked for; without it, that is ``host`` without TLS.
        ``login_folder`` has the logins and the user's own settings, empty: as ``logins.config_file`` says.
        ``engine`` makes the options of the engine, which not every command opens; ``preset`` are those of its fields that come from
        environment variables, and are for an engine in this process only."""
        #: as a person wrote it, empty if a context or nothing says it
        self.named_host = host
        #: what ``--context`` names
        self.context = context
        self._choose = choose or (lambda: (host, None))
        self._chosen: tuple[str, Tls | None] | None = None
        self.debug, self.login_folder = debug, login_folder
        self.engine, self.preset = engine, tuple(preset)

    def chosen(self) -> tuple[str, Tls | None]:
        """The host and how TLS is spoken to it. Raises ``NotFound``, ``InvalidArgument`` for a context that is not there, or damaged."""
        if self._chosen is None:
            self._chosen = _initialized(self._choose) if program() == "docker" else self._choose()
        return self._chosen

    @property
    def host(self) -> str:
        """Empty: the engine in this process. Raises what ``chosen`` raises."""
        return self.chosen()[0]

    def engine_options(self) -> EngineOptions:
        """The options of the engine that this invocation opens, or of the one at ``host`` that it asks for."""
        from moby_tui.engine_options import EngineOptions

        options = self.engine() if self.engine else EngineOptions()
        return options.replaced(**dict.fromkeys(self.preset)) if self.host else options


def _initialized(choose: Callable[[], tuple[str, Tls | None]]) -> tuple[str, Tls | None]:
    """What ``choose`` gives. Raises its errors, and those of a host that cannot be read, with docker's words before them."""
    before = "Failed to initialize: unable to resolve docker endpoint: "
    try:
        host, tls = choose()
    except (InvalidArgument, NotFound) as error:
        error.message = before + error.message
        raise
    scheme, separator, _ = host.partition("://")
    if separator and scheme not in _SCHEMES:
        raise InvalidArgument(f"{before}invalid bind address format: {host}")
    return host, tls


#: Those of a host that docker's command line reads.
_SCHEMES = ("unix", "tcp", "http", "https", "ssh", "npipe", "fd")
_session: ContextVar[Session] = ContextVar("session")


def use(session: Session) -> None:
    _session.set(session)


def current() -> Session:
    """The global options of this invocation; the defaults if nobody gave any."""
    return _session.get(Session())


def require_root() -> None:
    """Raises ``Forbidden`` without root, unless another engine is named: the engine in this process mounts and makes namespaces."""
    if not current().host and os.geteuid() != 0:
        raise Forbidden("moby needs root here: run it with sudo, or point it at a daemon with -H")


def call(work: Callable[[Client], Awaitable[T]]) -> T:
    """Runs the work with an open client. Raises the errors of ``moby_tui.errors``, ``KeyboardInterrupt`` on ctrl-c."""
    require_root()
    return run(_with_client(work))


def run(work: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``: the first SIGINT cancels the coroutine, ``KeyboardInterrupt`` is raised when it has ended, or by the second.

    With a handler of our own. Whoever replaces the one of asyncio has the whole task written out (``signal.signal`` makes each handler
    an enumeration's member if it can), for which asyncio executes the module inspect (``deferral.py``).
    """
    # imported here: a command that calls no engine needs neither
    import asyncio
    import signal

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return asyncio.run(work)
    interruption = _Interruption()
    signal.signal(signal.SIGINT, interruption.arrived)
    try:
        return asyncio.run(interruption.cancelling(work))
    except asyncio.CancelledError:
        if interruption.count:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Interruption:
    def __init__(self) -> None:
        self.count = 0
        self._task: asyncio.Task[Any] | None = None

    async def cancelling(self, work: Coroutine[Any, Any, T]) -> T:
        """The work, in the task that is cancelled."""
        import asyncio

        self._task = asyncio.current_task()
        return await work

    def arrived(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1 or self._task is None or self._task.done():
            raise KeyboardInterrupt
        # the loop may be waiting: this wakes it
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)


async def _with_client(work: Callable[[Client], Awaitable[T]]) -> T:
    async with connect() as client:
        return await work(client)


def connect() -> AbstractAsyncContextManager[Client]:
    """The engine that the global options name."""
    from moby_tui.api.client import connect as door

    host, tls = current().chosen()
    return door.connect(host, tls=tls, options=current().engine_options())


def login_for(image: str) -> RegistryAuth | None:
    """The stored login of an image's registry, for an engine on another machine; None for the one in this process, which reads it itself."""
    if not current().host:
        return None
    from moby_tui import logins

    host, slash, _ = image.partition("/")
    named = bool(slash) and ("." in host or ":" in host or host == "localhost")
    return logins.find(logins.domain_of(host if named else ""), current().login_folder)


def require_no_trust(options: TrustOptions) -> None:
    """Raises ``NotImplementedYet`` if the command line asks for verification by a trust server."""
    if not options.disable_content_trust:
        raise NotImplementedYet("option --disable-content-trust=false")


def program() -> str:
    """The name by which this program was called: ``docker`` is a link to moby on some machines, and its scripts match docker's texts."""
    return "docker" if os.path.basename(sys.argv[0]) == "docker" else "moby"


def phrase(own: str, dockers: str) -> str:
    """A message in moby's words or, under the name docker, in docker's."""
    return dockers if program() == "docker" else own


def tell(error: MobyError) -> None:
    """Prints an error on standard error."""
    sys.stdout.flush()
    print(_in_dockers_words(error) if program() == "docker" else f"moby: {error.message}", file=sys.stderr)


def _in_dockers_words(error: MobyError) -> str:
    """Docker's command line tells apart what it finds itself and what the engine says, and ``run`` and ``create`` name their help."""
    text = error.message
    if isinstance(error, NotConnected):
        text = f"Cannot connect to the Docker daemon at {error.address}. Is the docker daemon running?"
    elif text.startswith("No such object: "):
        text = f"Error: {text}"
    elif is_answer(error):
        text = f"Error response from daemon: {text}"
    command = error.help_of
    return f"docker: {text}\n\nRun 'docker {command} --help' for more information" if command else text


def is_answer(error: MobyError) -> bool:
    """True if an engine has refused, here or elsewhere; false if the command line itself has."""
    if error.answered:
        return True
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("moby_tui.engine."):
            return True
        trace = trace.tb_next
    return False


def call_each(
    refs: Iterable[str],
    work: Callable[[Client, str], Awaitable[object]],
    *,
    show: bool = True,
    failed: list[str] | None = None,
) -> int:
    """Does the work for each reference in turn. Prints references that succeeded, and errors of the others; returns 1 if there was one.

    The references for which it failed are added to ``failed``.
    """
    refs, failures = list(refs), [] if failed is None else failed

    async def all_of_them(client: Client) -> None:
        for ref in refs:
            try:
                await work(client, ref)
            except NotModified:
                pass
            except MobyError as error:
                tell(error)
                failures.append(ref)
                continue
            if show:
                print(ref, flush=True)

    try:
        call(all_of_them)
    except NotConnected as error:
        for ref in refs:
            tell(error)
            failures.append(ref)
    return 1 if failures else 0


def require_name(ref: str) -> None:
    """Raises ``InvalidArgument``, under the name docker, for a reference of nothing but blanks."""
    if not ref.strip() and program() == "docker":
        raise InvalidArgument("invalid container name or ID: value is empty")
