"""Each option of the engine through each door: the engine that the door opens has it, or there is one line that says why not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import moby_tui
from moby_tui import sync
from moby_tui.api.client import connect as door
from moby_tui.cli import app, session
from moby_tui.cli.commands import dashboard
from moby_tui.engine.engine import Engine
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument
from moby_tui.screens import start

#: Flag, environment variable, field of ``EngineOptions``.
OPTIONS = [
    ("--data-root", "MOBY_DATA_ROOT", "data_root"),
    ("--exec-root", "MOBY_EXEC_ROOT", "exec_root"),
    ("--hooks-dir", "", "hooks_dirs"),
    ("--signature-policy", "MOBY_SIGNATURE_POLICY", "signature_policy"),
    ("--config", "DOCKER_CONFIG", "login_folder"),
]
DOORS = {
    "ps": ["ps"],
    "run": ["run", "box"],
    "daemon": ["daemon"],
    "tui": ["tui"],
    "logs": ["logs", "--tui"],
    "recover": ["system", "recover"],
}
ELSEWHERE = "unix:///nowhere.sock"


def held(field: str, path: Path) -> Any:
    return (path,) if field == "hooks_dirs" else path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[EngineOptions]:
    """The options of each engine that a command line would have opened; none is."""
    engines: list[EngineOptions] = []

    def call(work: object, **_: object) -> int:
        client = session.connect()
        engines.extend([client.options] if isinstance(client, Engine) else [])
        raise Forbidden("not opened in this test")

    async def recover(*_: object, options: EngineOptions) -> None:
        engines.append(options)
        raise Forbidden("not opened in this test")

    for name in ("MOBY_HOST", "DOCKER_HOST", *(variable for _, variable, _ in OPTIONS if variable)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "call", call)
    monkeypatch.setattr(Engine, "recover", recover)
    monkeypatch.setattr(start, "run", lambda connect, **_: call(connect))
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(dashboard, "sys", SimpleNamespace(stdin=terminal, stdout=terminal))
    return engines


@pytest.mark.parametrize("words", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(("flag", "variable", "field"), OPTIONS, ids=lambda value: str(value))
def test_every_global_option_reaches_the_engine_of_every_command(
    opened: list[EngineOptions],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    flag: str,
    variable: str,
    field: str,
) -> None:
    assert app.run([flag, str(tmp_path / "x"), *words]) != 0
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "x"))
        assert app.run(words) != 0
    wanted = held(field, tmp_path / "x")
    assert [getattr(options, field) for options in opened] == [wanted] * (2 if variable else 1)


@pytest.mark.parametrize("words", [["ps"], ["run", "box"], ["tui"]], ids=lambda words: words[0])
@pytest.mark.parametrize(("flag", "variable", "field"), OPTIONS, ids=lambda value: str(value))
def test_an_option_that_a_socket_cannot_carry_is_refused(
    opened: list[EngineOptions],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    flag: str,
    variable: str,
    field: str,
) -> None:
    """The folder of the logins is read by the command line itself; roots of the environment are those of an engine in this process."""
    refused = (
        f"moby: {flag} is an option of the engine, and the one at {ELSEWHERE} has its own: give it to the moby daemon there\n"
    )
    app.run(["-H", ELSEWHERE, flag, "/x", *words])
    assert (capsys.readouterr().err == refused) == (field != "login_folder")
    if variable:
        monkeypatch.setenv(variable, "/x")
        app.run(["-H", ELSEWHERE, *words])
        assert (capsys.readouterr().err == refused) == (field == "signature_policy")
    assert opened == []


def test_a_daemon_has_its_own_options_before_the_global_ones(opened: list[EngineOptions]) -> None:
    own = "--data-root /b --add-runtime x=/bin/true --default-runtime x --userns-remap default --no-live-restore"
    pools = "--default-address-pool base=10.9.0.0/16,size=24"
    app.run(["-H", ELSEWHERE, "--data-root", "/a", "--exec-root", "/r", "daemon", *own.split(), *pools.split()])
    [options] = opened
    assert (options.data_root, options.exec_root) == (Path("/b"), Path("/r"))
    assert (options.runtimes, options.default_runtime) == ({"x": "/bin/true"}, "x")
    assert (options.userns_remap, options.live_restore) == ("default", False)
    assert [(pool.base, pool.size) for pool in options.default_address_pools] == [("10.9.0.0/16", 24)]


def test_the_oci_runtime_takes_no_option_of_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--data-root", "/x", "oci", "list"]) == 1
    assert capsys.readouterr().err == "moby: moby oci is no part of the engine and has options of its own: write none before it\n"


KEYWORDS = {"data_root": "/d", "exec_root": "/r", "hooks_dirs": ["/h"], "signature_policy": "/p"}
WANTED = {"data_root": Path("/d"), "exec_root": Path("/r"), "hooks_dirs": (Path("/h"),), "signature_policy": Path("/p")}
#: A keyword of ``connect`` or a field of ``EngineOptions`` to the engine, through each door of the SDK.
SDK = {
    "connect": lambda given: moby_tui.connect(**given),
    "connect with options": lambda given: moby_tui.connect(options=EngineOptions(**given)),
    "Engine.open with options": lambda given: moby_tui.Engine.open(options=EngineOptions(**given)),
    "sync connect": lambda given: sync.Engine.connect(**given)._make(),
    "sync open with options": lambda given: sync.Engine.open(options=EngineOptions(**given))._make(),
}


@pytest.mark.parametrize("way", SDK.values(), ids=SDK)
@pytest.mark.parametrize("name", KEYWORDS)
def test_every_keyword_reaches_the_engine_of_a_program(way: Any, name: str) -> None:
    assert getattr(way({name: KEYWORDS[name]}).options, name) == WANTED[name]


def test_the_environment_is_asked_by_a_program_without_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("DATA_ROOT", "/e"), ("EXEC_ROOT", "/er"), ("SIGNATURE_POLICY", "/ep")):
        monkeypatch.setenv(f"MOBY_{name}", value)
    plain, elsewhere, told = Engine.open(), Engine.open("/d"), Engine.open(options=EngineOptions())
    assert (plain.paths.data_root, plain.paths.exec_root) == (Path("/e"), Path("/er"))
    assert plain.options.signature_policy == elsewhere.options.signature_policy == Path("/ep")
    assert elsewhere.paths.data_root == Path("/d") and elsewhere.paths.exec_root != Path("/er")
    assert told.options == EngineOptions()


@pytest.mark.parametrize("name", EngineOptions.__struct_fields__)
def test_no_field_goes_through_a_socket(name: str) -> None:
    values = {"runtimes": {"x": "/x"}, "hooks_dirs": ("/x",), "live_restore": False, "default_address_pools": ("x",)}
    with pytest.raises(InvalidArgument, match=f"is an option of the engine, and the one at {ELSEWHERE} has its own"):
        door.connect(ELSEWHERE, options=EngineOptions(**{name: values.get(name, "/x")}))  # type: ignore[arg-type]
