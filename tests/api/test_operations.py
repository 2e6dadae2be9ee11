"""The table of operations: what the client makes of it the server reads, and every engine has its methods."""

from __future__ import annotations

import inspect
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, Protocol, cast
from urllib.parse import unquote

import pytest
from multidict import CIMultiDict
from yarl import URL

from api.wire import ask
from api.world import Served
from moby_tui.api.client import http, protocol
from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient, query_string
from moby_tui.api.client.images import RemoteImages
from moby_tui.api.client.remote import Remote
from moby_tui.api.operations.fields import field, filters
from moby_tui.api.operations.operation import Operation, get, operation_of, post
from moby_tui.api.operations.parameters import VARIABLE, Parameter
from moby_tui.api.server import plain, versions
from moby_tui.api.server.binding import Received
from moby_tui.api.server.decode import Query
from moby_tui.api.server.router import Router, RouteTable
from moby_tui.api.server.routes import ROUTES
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.base import Filters
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.volume import Volume, VolumeCreate

ROUTER = Router(ROUTES)
METHODS = [route.operation for route in ROUTES if route.operation.name and route.path == route.operation.path]
#: Those whose parameters are what is on the wire.
DIRECT = [one for one in METHODS if all(parameter.place != "made" for parameter in one.parameters)]
SAMPLES: dict[str, Any] = {
    "flag": True,
    "boolean": True,
    "inverse": False,
    "integer": 7,
    "count": 7,
    "dimension": 7,
    "text": "a b/&%",
    "path": "/bytes\udcff of a name",
    "texts": ["a", "b c"],
    "moment": 1.5,
    "timestamp": 1.5,
    "tail": 7,
    "platform": "linux/arm/v7",
    "platforms": ["linux/arm/v7", "linux/amd64"],
    "reference": "127.0.0.1:5000/a/b:tag",
}


def sample(operation: Operation, parameter: Parameter) -> Any:
    if parameter.place == "path":
        return "a/b:c" if f"{{{parameter.name}:" in operation.path else "a b"
    if parameter.place == "auth":
        return RegistryAuth(username="u", password="p")
    if parameter.kind in ("filters", "any_filters"):
        return {min(parameter.keys): ["x=y"]}
    return SAMPLES[parameter.kind]


def arguments(operation: Operation, *, whole: bool) -> dict[str, Any]:
    """A value for each parameter; or, for those that need not be there, the default of the wire."""
    values: dict[str, Any] = {}
    for parameter in operation.parameters:
        owner, dot, member = parameter.name.partition(".")
        if dot:
            values.setdefault(owner, operation.options[owner][0]())
            setattr(values[owner], member, sample(operation, parameter) if whole else parameter.default)
        elif parameter.place in ("body", "upload"):
            values[parameter.name] = None
        elif parameter.place == "member":
            values[parameter.name] = "x"
        elif parameter.own and parameter.place != "made":
            values[parameter.name] = sample(operation, parameter) if whole or parameter.required else parameter.default
    return values


class Sent(Exception):
    """A request, instead of its answer."""


class Session:
    def __init__(self, version: tuple[int, ...] = versions.NEWEST) -> None:
        self._version = version

    async def version(self) -> tuple[int, ...]:
        return self._version

    async def is_moby(self) -> bool:
        return True

    async def open(self, method: str, path: str, query: Any, *, body: Any, headers: Any) -> None:
        raise Sent(method, path, query_string(query), headers)


async def sent(operation: Operation, values: dict[str, Any]) -> tuple[str, str, str, dict[str, str]]:
    remote = Remote(Session(), getattr(protocol, operation.family.capitalize()))  # type: ignore[arg-type]
    with pytest.raises(Sent) as caught:
        await remote.ask(operation.name, **values)
    return caught.value.args


@pytest.mark.parametrize("whole", [True, False], ids=["values", "defaults"])
async def test_the_server_reads_what_the_client_writes(whole: bool) -> None:
    assert len(DIRECT) > 60
    for operation in DIRECT:
        values = arguments(operation, whole=whole)
        read = await heard_by_the_server(operation, values)
        elsewhere = {one.name for one in operation.parameters if one.place in ("body", "member")}
        for name in values.keys() - elsewhere:
            assert read[name] == values[name] or (not read[name] and not values[name]), (operation, name)


async def heard_by_the_server(operation: Operation, values: dict[str, Any]) -> dict[str, Any]:
    _, path, query, headers = await sent(operation, values)
    url = URL(path + query, encoded=True)
    route, params = ROUTER.find(operation.method, unquote(url.raw_path)) or (None, {})
    assert route and route.operation is operation
    request = SimpleNamespace(headers=CIMultiDict(headers), content=SimpleNamespace(iter_any=lambda: None))
    received = Received(request, versions.NEWEST, params, Query(url.query, url.raw_query_string))  # type: ignore[arg-type]
    return route.binding.read(received)


async def test_a_field_is_not_read_before_its_version() -> None:
    route, params = ROUTER.find("POST", "/containers/c/stop") or (None, {})
    assert route
    query = Query(URL("/?t=3&signal=HUP").query)
    for version, signal in (((1, 41), ""), ((1, 42), "HUP")):
        read = route.binding.read(Received(SimpleNamespace(), version, params, query))  # type: ignore[arg-type]
        assert read == {"ref": "c", "timeout": 3, "signal": signal}


def test_engines_near_and_far_have_the_methods_of_the_table(engine: Engine) -> None:
    """With the same parameters: those that are given by name have the same names, and all have the same defaults."""
    far = HttpClient(Address(path="/nowhere"))
    for part in set(protocol.__all__) - {"Archives", "Client", "ExitWait", "Readable"}:
        for name, method in vars(getattr(protocol, part)).items():
            if name.startswith("_") or name == "run":
                continue
            ours = list(inspect.signature(method).parameters.values())[1:]
            for client in (engine, far):
                theirs = inspect.signature(getattr(getattr(client, part.lower()), name)).parameters.values()
                assert [shape_of(one) for one in ours] == [shape_of(one) for one in theirs if one.kind is not one.VAR_KEYWORD], (
                    part,
                    name,
                )


def shape_of(parameter: inspect.Parameter) -> tuple[str, object]:
    return parameter.name if parameter.kind is parameter.KEYWORD_ONLY else "", parameter.default


def test_no_two_operations_are_the_same() -> None:
    places = [(route.operation.method, VARIABLE.sub("{}", route.path)) for route in ROUTES]
    assert len(places) == len(set(places))


async def test_an_older_engine_is_not_asked_for_what_it_would_leave_out() -> None:
    remote = Remote(Session((1, 41)), protocol.Containers)  # type: ignore[arg-type]
    for options, path in ({}, "/containers/c/stop"), ({"timeout": 3}, "/containers/c/stop"):
        with pytest.raises(Sent) as caught:
            await remote.stop("c", **options)
        assert caught.value.args[1] == path
    with pytest.raises(InvalidArgument, match=r"signal needs version 1.42 of the API, and the engine there has 1.41"):
        await remote.stop("c", signal="HUP")
    images = RemoteImages(Session((1, 47)))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"platform needs version 1.48"):
        await anext(images.save(["a"], platforms=["linux/amd64"]))


async def test_what_the_table_alone_cannot_make_is_there_on_both_sides() -> None:
    client = HttpClient(Address(path="/nowhere"))
    others = [route for route in ROUTES if route.operation.form == "other"]
    assert len(others) > 10
    for route in others:
        assert route.handler.__module__ != plain.__name__, route.operation
        if route.operation.name:
            assert hasattr(type(getattr(client, route.operation.family)), route.operation.name), route.operation


def test_a_method_that_is_made_shows_what_the_protocol_says() -> None:
    method = HttpClient(Address(path="/nowhere")).volumes.rename
    assert (method.__doc__, str(inspect.signature(method))) == (
        "Renames a volume that no container uses.",
        "(name: 'str', new: 'str') -> 'None'",
    )


@pytest.mark.parametrize(("family", "others"), [("volumes", "networks"), ("networks", "volumes"), ("secrets", "containers")])
def test_a_remote_command_imports_the_family_that_it_calls(family: str, others: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from moby_tui.api.client.connect import connect\n"
        "from moby_tui.errors import Unavailable\n"
        "try:\n"
        f"    asyncio.run(connect('unix:///nowhere').{family}.list())\n"
        "except Unavailable:\n"
        "    print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"moby_tui.api.operations.{family}" in loaded
    assert not loaded & {"aiohttp", f"moby_tui.api.operations.{others}", "moby_tui.api.client.protocol", "moby_tui.engine"}


async def test_every_tag_is_pushed_if_that_is_asked_for() -> None:
    remote = RemoteImages(Session())  # type: ignore[arg-type]
    for reference, all_tags, query in (("a/b", True, ""), ("a/b", False, "?tag=latest"), ("a/b:c", False, "?tag=c")):
        with pytest.raises(Sent) as caught:
            await anext(remote.push(reference, all_tags=all_tags))
        assert caught.value.args[1:3] == ("/images/a/b/push", query)


class Clocks(Protocol):
    @post("/moby/clocks/{name}/turn", field("hours", "h"), filters("label"), errors=(404,), needs="clocks")
    async def turn(self, name: str, config: VolumeCreate, *, hours: int = 1, filters: Filters | None = None) -> Volume:
        """Turns a clock."""
        ...


class MechanicalClocks:
    async def turn(self, name: str, config: VolumeCreate, *, hours: int = 1, filters: Filters | None = None) -> Volume:
        if name != "a b":
            raise NotFound(f"no such clock: {name}")
        return Volume(name=config.name, driver=str(hours), labels={"filters": str(filters)})


async def test_an_operation_is_one_entry_and_one_method(served: Served) -> None:
    """``Clocks`` is the entry, ``MechanicalClocks`` the engine's method: the rest follows."""
    served.engine.clocks = MechanicalClocks()
    served.app._router = Router(RouteTable(Clocks, plain.plain).routes)
    clocks = cast("Clocks", Remote(http.Session(Address(path=str(served.path))), Clocks))
    served.app._router._fixed |= ROUTER._fixed  # the ping of the client
    turned = await clocks.turn("a b", VolumeCreate(name="made"), hours=3, filters={"label": ["x"]})
    assert turned == Volume(name="made", driver="3", labels={"filters": "{'label': ['x']}"})
    with pytest.raises(NotFound, match="no such clock: c"):
        await clocks.turn("c", VolumeCreate())
    for target, message in (
        ("/moby/clocks/a/turn?h=x", "invalid value for h: 'x' is not a number"),
        ('/moby/clocks/a/turn?filters={"color":[]}', "invalid filter 'color'"),
    ):
        answer = await ask(served.path, "POST", target.replace('"', "%22"))
        assert (answer.status, answer.message) == (400, message)


def test_a_parameter_that_the_table_cannot_place_is_refused() -> None:
    class Family:
        @get("/a/{name}", field("other", "o"))
        async def one(self, name: str) -> None: ...

        @get("/a")
        async def two(self, what: set[int]) -> None: ...

    for function, text in ((Family.one, "no parameter 'other'"), (Family.two, "say what 'what' is")):
        with pytest.raises(TypeError, match=text):
            _ = operation_of(function).parameters
