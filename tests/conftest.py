"""Session-wide set-up. Every test has its own data root; all run in namespaces of the session's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

import leaks
import namespaces
from bench import image
from data_roots import fresh_roots

if TYPE_CHECKING:
    from moby_tui.engine.engine import Engine

# No example has to be done in a given time: the machine may have other things to do.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

#: Only the process that makes the namespaces looks for what is left in them at the end.
_session = None
if not namespaces.inside():
    leaks.sweep_killed_sessions()
    _session = leaks.Session()
namespaces.enter()
if _session is not None:
    _session.begin(namespaces.folder())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """A leak fails the run, whatever the tests said."""
    yield
    if _session is None:
        return
    found = leaks.settled(_session.leaks)
    _session.close()
    if found:
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        reporter.ensure_newline()
        reporter.section("left behind", red=True, bold=True)
        for leak in found:
            reporter.line(leak, red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def own_network() -> Iterator[None]:
    """A network namespace of the test's own: other workers' interfaces, tables and ports come and go in the session's.

    An engine that is to be in it is made after it.
    """
    # imported here: most tests' workers share the session's
    from moby_tui.engine.kernel import namespaces as kernel_namespaces
    from moby_tui.engine.kernel.network import netns

    session = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    own = netns.create()
    kernel_namespaces.join(own, "network")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    yield
    kernel_namespaces.join(session, "network")
    kernel_namespaces.close([session, own])


@pytest.fixture
def roots() -> Iterator[tuple[Path, Path]]:
    """The test's own data root and exec root (``fresh_roots``)."""
    with fresh_roots() as pair:
        yield pair


@pytest.fixture
async def engine(roots: tuple[Path, Path]) -> AsyncIterator[Engine]:
    """An engine in this process; at the end its containers are removed by force."""
    from moby_tui.engine.engine import Engine

    async with Engine.open(*roots) as opened:
        yield opened
        for container in await opened.containers.list(all=True):
            await opened.containers.remove(container.id, force=True, volumes=True)


@pytest.fixture(scope="session")
def busybox_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``docker save`` archive of ``busybox:latest``, made of Debian's static busybox."""
    path = tmp_path_factory.mktemp("images") / "busybox.tar"
    image.archive(path)
    return path


@pytest.fixture
async def busybox(roots: tuple[Path, Path], busybox_archive: Path) -> str:
    """The name of a small image that is in the roots; its commands are ``bench.image.APPLETS``."""
    from moby_tui.engine.engine import Engine

    async def content() -> AsyncIterator[bytes]:
        yield busybox_archive.read_bytes()

    async with Engine.open(*roots) as loader:
        async for _ in loader.images.load(content()):
            pass
    return "busybox"


@pytest.fixture
def cli(roots: tuple[Path, Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``cli("ps", "-a")``: the command line as a process of its own on the test's roots.

    ``check=False`` lets a failure be looked at; other keywords go to ``subprocess.run``.
    """
    data_root, exec_root = roots
    env = {**os.environ, "MOBY_DATA_ROOT": str(data_root), "MOBY_EXEC_ROOT": str(exec_root)}

    def run(*arguments: str, check: bool = True, timeout: float = 60, **options: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "moby_tui", *arguments],
            env={**env, **options.pop("env", {})},
            text=True,
            timeout=timeout,
            **({"capture_output": True} | options),
        )
        if check and done.returncode != 0:
            pytest.fail(f"moby {' '.join(arguments)}: status {done.returncode}: {done.stderr}")
        return done

    return run
