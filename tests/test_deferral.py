"""Modules whose execution is put off until they are used; ctrl-c without the parts of asyncio that would use them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.tokens import make_certificate


def _printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_deferred_module_is_executed_when_it_is_used() -> None:
    program = """
from moby_tui import deferral
deferral.install()
import sys, asyncio, asyncio.sslproto, msgspec
before = {"_ssl", "_posixsubprocess", "ast", "tokenize"} & set(sys.modules)
import ssl, inspect
from ipaddress import ip_address
import ssl
print(sorted(before), "_ssl" in sys.modules, ip_address("::1"), ssl.SSLContext.__name__, "_ssl" in sys.modules)
print(inspect.getsource(ssl).startswith('#'), ssl.__loader__ is ssl.__spec__.loader, hasattr(ssl, "nothing"))
import platform, typing_extensions
print(platform.machine(), platform.system(), typing_extensions.TypeIs is not None, "ast" in sys.modules)
import subprocess, traceback
at_first = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
from pathlib import Path
unread = "quote" not in vars(sys.modules["urllib.parse"])
print(unread, Path("/a b").as_uri(), Path("/a b").as_uri(), "quote" in vars(sys.modules["urllib.parse"]))
print(subprocess.run(["true"]).returncode, at_first == (subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL), asyncio.subprocess.PIPE)
print(traceback.format_exception_only(ValueError("x")), asyncio.run(asyncio.wait_for(asyncio.create_subprocess_exec("true"), 9)).pid > 0)
print(type(msgspec.inspect.type_info(int)).__name__, asyncio.base_events.sslproto.SSLProtocol.__name__)
"""
    assert _printed(program).splitlines() == [
        "[] False ::1 SSLContext True",
        "True True False",
        f"{os.uname().machine} Linux True True",
        "True file:///a%20b file:///a%20b True",
        "0 True -1",
        "['ValueError: x\\n'] True",
        "IntType SSLProtocol",
    ]


def test_our_own_modules_are_found_by_no_other_finder() -> None:
    program = """
import sys
asked = []
class Finder:
    def find_spec(self, name, path=None, target=None):
        asked.append(name)
sys.meta_path.insert(0, Finder())
from moby_tui import deferral
deferral.install()
asked.clear()
import moby_tui.cli.quick, moby_tui.schema.base
print(sorted(name for name in asked if name.startswith("moby_tui")), "msgspec" in asked, moby_tui.cli.quick.__file__[-21:])
import importlib.util
print(importlib.util.find_spec("moby_tui.nothing"), importlib.util.find_spec("moby_tui.cli").submodule_search_locations is not None)
"""
    # what does not exist is looked for by all
    assert _printed(program).splitlines() == ["[] True moby_tui/cli/quick.py", "None True"]


def test_a_connection_without_tls_executes_no_ssl() -> None:
    program = """
from moby_tui import deferral
deferral.install()
import asyncio, socket, ssl, sys, tempfile

async def talk(path):
    server = await asyncio.start_unix_server(lambda reader, writer: writer.close(), path)
    reader, writer = await asyncio.open_unix_connection(path)
    print(await reader.read(), "_ssl" in sys.modules)
    writer.close()
    server.close()

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(talk(folder + "/s"))
early, (ours, theirs) = ssl.SSLSocket, socket.socketpair()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
encrypted = context.wrap_socket(ours, server_hostname="x", do_handshake_on_connect=False)
print(early is ssl.SSLSocket, isinstance(encrypted, early), isinstance(encrypted, ssl.SSLSocket), isinstance(theirs, early))
"""
    assert _printed(program).splitlines() == ["b'' False", "False True True False"]


def test_what_asyncio_and_msgspec_ask_of_modules_is_answered_without_their_execution() -> None:
    program = """
from moby_tui import deferral
deferral.install()
import sys, asyncio, msgspec, datetime, logging
asyncio.run(asyncio.sleep(0))
date = msgspec.json.decode(b'"2020-01-02T03:04:05Z"', type=datetime.datetime)
print({"concurrent.futures._base", "string"} & set(sys.modules), "root" in vars(logging), date, datetime.datetime.strptime("2020", "%Y").year)
logger = asyncio.log.logger
print(asyncio.run(asyncio.to_thread(abs, -5)), logging.getLogger("asyncio").name, logger.name, logging.getLogger("root") is logging.root)
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
asyncio.run(asyncio.sleep(0))
import concurrent.futures
print(concurrent.futures.ThreadPoolExecutor.__name__, concurrent.futures.wait.__name__, hasattr(concurrent.futures, "nothing"))
print(hasattr(datetime, "nothing"), datetime.datetime is type(date))
"""
    assert _printed(program).splitlines() == [
        "set() False 2020-01-02 03:04:05+00:00 2020",
        "5 asyncio asyncio True",
        "DEBUG:asyncio:Using selector: EpollSelector",
        "ThreadPoolExecutor wait False",
        "False True",
    ]


def test_two_threads_that_use_a_deferred_module_both_see_all_of_it() -> None:
    program = """
from moby_tui import deferral
deferral.install()
import inspect, sys, threading
sys.setswitchinterval(1e-6)
start, missing = threading.Barrier(8), []
def use():
    start.wait()
    try:
        inspect.stack  # the last of its functions but a few
    except AttributeError as error:
        missing.append(error)
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(missing)
"""
    assert _printed(program) == "[]"


@pytest.mark.parametrize(("signals", "ended"), [(1, "put away"), (2, "at once")])
def test_ctrl_c_cancels_a_command_and_the_second_ends_it(signals: int, ended: str) -> None:
    program = f"""
import asyncio, os, signal, sys
from moby_tui.cli import session
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its jobs in the background ignore it
async def work():
    loop = asyncio.get_running_loop()
    loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(1000)
    finally:
        if {signals} == 2:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            print("put away")
try:
    session.run(work())
except KeyboardInterrupt:
    print("" if {signals} == 1 else "at once", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    assert _printed(program).split("\n") == ([ended, " True"] if signals == 1 else [f"{ended} True"])


def test_a_command_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    program = """
import asyncio, os, signal
from moby_tui.cli import session
signal.signal(signal.SIGINT, signal.SIG_IGN)
async def work():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0)
    return "done"
print(session.run(work()), signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
"""
    assert _printed(program) == "done True"


def test_the_authorities_are_read_for_the_first_connection_with_tls(tmp_path: Path) -> None:
    """One client trusts the server's own certificate, as its authority, the other nobody who has signed it."""
    certificate, key = make_certificate(tmp_path, "-addext", "subjectAltName=DNS:localhost")
    program = f"""
from moby_tui import deferral
deferral.install()
import asyncio, os, ssl, threading
from aiohttp import ClientConnectorCertificateError, ClientSession, connector, web

context = connector._SSL_CONTEXT_VERIFIED
left = "set_default_verify_paths" in vars(ssl.SSLContext)
print(context.cert_store_stats()["x509"], context.verify_mode.name, context.check_hostname, left)

async def answer(request):
    return web.Response(text="answered")

async def main():
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain({str(certificate)!r}, {str(key)!r})
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own)
    await site.start()
    url = f"https://localhost:{{site._server.sockets[0].getsockname()[1]}}/"
    async with ClientSession() as session:
        try:
            async with session.get(url) as got:
                print(await got.text(), type(context) is ssl.SSLContext)
        except ClientConnectorCertificateError:
            print("refused")
    await runner.cleanup()
asyncio.run(main())
"""
    first = "0 CERT_REQUIRED True False"
    for authority, then in ((str(certificate), "answered True"), ("/dev/null", "refused")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "SSL_CERT_FILE": authority, "SSL_CERT_DIR": "/nosuch"},
        )
        assert done.stdout.splitlines() == [first, then], done.stderr
