"""Registries looked at without a pull; and who we are to one that sends everybody to a token server."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

import images_data
from images.image_store import Store
from images.registries.test_image_registry import quick, server  # noqa: F401
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.images.registry import search
from moby_tui.engine.resources.images.registry.repositories import Repositories
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound, Unauthorized
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.system import Login
from servers.registry import HTPASSWD, INDEX, MANIFEST, Registry, running
from servers.tokens import IDENTITY, LOGIN, token_registry

pytestmark = pytest.mark.usefixtures("quick")
AUTH = RegistryAuth(username=LOGIN[0], password=LOGIN[1])
REPOSITORIES = Repositories(EngineOptions())


def image(name: str) -> images_data.ImageData:
    return images_data.ImageData([images_data.Tar().add(name, data=name.encode() * 100).bytes()])


@pytest.fixture
def no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.mark.usefixtures("no_logins")
async def test_what_a_registry_has(registry: Registry) -> None:
    digest = registry.push("look/one", "1", image("one"))
    registry.push("look/one", "2", image("one"))
    both = registry.push_index("look/two", "1", {"linux/amd64": image("a"), "linux/arm/v7": image("b")})
    names = await REPOSITORIES.list(registry.address)
    assert {"look/one", "look/two"} <= set(names) and names == sorted(names)
    assert sorted(await REPOSITORIES.tags(f"{registry.address}/look/one")) == ["1", "2"]
    with pytest.raises(NotFound):
        await REPOSITORIES.tags(f"{registry.address}/look/nothing")
    with pytest.raises(InvalidArgument, match="without a tag"):
        await REPOSITORIES.tags(f"{registry.address}/look/one:1")
    one = await REPOSITORIES.inspect(f"{registry.address}/look/one:1")
    assert (one.descriptor.digest, one.descriptor.media_type) == (digest, MANIFEST)
    assert [(platform.os, platform.architecture) for platform in one.platforms] == [("linux", images_data.ARCHITECTURE)]
    two = await REPOSITORIES.inspect(f"{registry.address}/look/two:1")
    assert (two.descriptor.digest, two.descriptor.media_type) == (both, INDEX)
    assert [platform.variant for platform in two.platforms] == ["", "v7"]


@pytest.mark.usefixtures("no_logins")
async def test_deleting(registry: Registry) -> None:
    digest = registry.push("gone/image", "1", image("x"))
    with pytest.raises(Forbidden, match=rf"moby registry rm {registry.address}/gone/image@{digest}` deletes .* all its tags"):
        await REPOSITORIES.remove(f"{registry.address}/gone/image:1")
    with pytest.raises(InvalidArgument, match="by tag or digest"):
        await REPOSITORIES.remove(f"{registry.address}/gone/image")
    whole = f"{registry.address}/gone/image@{digest}"
    assert await REPOSITORIES.remove(whole) == whole
    assert await REPOSITORIES.tags(f"{registry.address}/gone/image") == []
    with pytest.raises(NotFound):
        await REPOSITORIES.remove(whole)


@pytest.mark.usefixtures("no_logins")
async def test_referrers_of_both_kinds_of_registries(registry: Registry) -> None:
    """docker-registry 2.8 has no such interface: clients keep the list under a tag. Others filter, or leave that to us."""
    digest = registry.push("signed/image", "1", image("x"))
    reference = f"{registry.address}/signed/image:1"
    assert await REPOSITORIES.referrers(reference) == []
    entries = [
        {"mediaType": MANIFEST, "digest": digest, "size": 7, "artifactType": "application/sbom"},
        {"mediaType": MANIFEST, "digest": digest, "size": 8, "artifactType": "application/signature"},
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    registry.push_manifest("signed/image", digest.replace(":", "-"), index, INDEX)
    assert [one.size for one in await REPOSITORIES.referrers(reference)] == [7, 8]
    assert [one.size for one in await REPOSITORIES.referrers(reference, artifact_type="application/signature")] == [8]

    async def new(request: web.Request) -> web.StreamResponse:
        return web.json_response(index, content_type=INDEX)

    async with server(new) as address:
        found = await REPOSITORIES.referrers(f"{address}/a@{digest}", artifact_type="application/sbom")
    assert [one.size for one in found] == [7]


@pytest.mark.usefixtures("no_logins")
async def test_lists_come_in_pages_and_end() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        at = int(request.query.get("last", "0"))
        following = {"Link": f'</v2/_catalog?last={at + 1}>; rel="next"'} if at < 3 or "endless" in request.path else {}
        return web.json_response({"repositories": [f"r{at}"], "tags": None}, headers=following)

    async with server(handler) as address:
        assert await REPOSITORIES.list(address) == ["r0", "r1", "r2", "r3"]
        assert await REPOSITORIES.tags(f"{address}/a") == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("moby_tui.engine.resources.images.registry.registry._MOST_PAGES", 3)
            with pytest.raises(MobyError, match="without an end"):
                await REPOSITORIES.list(address)

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.json_response({"repositories": []}, headers={"Link": '<ftp://x/>; rel="next"'})

    async with server(elsewhere) as address:
        with pytest.raises(MobyError, match="not safe"):
            await REPOSITORIES.list(address)

    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.json_response({"repositories": [1]})

    async with server(nonsense) as address:
        with pytest.raises(MobyError, match="cannot be read"):
            await REPOSITORIES.list(address)


@pytest.mark.usefixtures("no_logins")
async def test_search_of_an_index_and_of_a_list(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.push("search/needle", "1", image("x"))
    found = await REPOSITORIES.search(f"{registry.address}/needle")
    assert [result.name for result in found] == [f"{registry.address}/search/needle"]
    assert await REPOSITORIES.search(f"{registry.address}/no-such-thing") == []
    asked: list[str] = []

    async def hub(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        results = [
            {"name": "python", "description": "d", "star_count": 9, "is_official": True, "is_automated": False},
            {"name": "me/python", "description": "e", "star_count": 1, "is_official": False},
        ]
        return web.json_response({"results": results, "num_results": 2})

    async with server(hub) as address:
        monkeypatch.setattr(search, "_HUB", f"http://{address}/v1")
        assert [one.name for one in await REPOSITORIES.search("python")] == ["python", "me/python"]
        assert [one.name for one in await REPOSITORIES.search("library/a b&c", filters={"is-official": ["false"]})] == [
            "me/python"
        ]
        assert [one.name for one in await REPOSITORIES.search("python", filters={"stars": ["5"]}, limit=1)] == ["python"]
        assert [one.name for one in await REPOSITORIES.search(f"{address}/python")] == [
            f"{address}/python",
            f"{address}/me/python",
        ]
    assert asked[:3] == ["/v1/search?q=python&n=25", "/v1/search?q=a+b%26c&n=25", "/v1/search?q=python&n=1"]
    for term, limit, filters, said in (
        ("https://x/y", 0, {}, "scheme"),
        ("", 0, {}, "name something"),
        ("x", 101, {}, "outside the range"),
        ("x", 0, {"is-official": ["perhaps"]}, "invalid filter 'is-official="),
        ("x", 0, {"stars": ["-1"]}, "invalid filter 'stars="),
        ("x", 0, {"nice": ["1"]}, "invalid filter 'nice'"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            await REPOSITORIES.search(term, limit=limit, filters=filters)


async def pull(store: Store, reference: str, auth: RegistryAuth | None = None) -> None:
    async for _ in store.images.pull(reference, auth=auth):
        pass


async def push(store: Store, reference: str, auth: RegistryAuth | None = None) -> None:
    async for _ in store.images.push(reference, auth=auth):
        pass


async def test_tokens_of_a_real_registry(store: Store, registry: Registry, tmp_path: Path) -> None:
    """Push with a password, pull without and with, lists and deletion, each with the scope that it needs."""
    registry.push("for/tokens", "1", image("x"))
    await pull(store, f"{registry.address}/for/tokens:1")
    async with token_registry(tmp_path / "t") as (guarded, realm):
        shut, opened = f"{guarded.address}/shut/image", f"{guarded.address}/open/image"
        for target in (shut, opened):
            await store.images.tag(f"{registry.address}/for/tokens:1", f"{target}:1")
            with pytest.raises(Unauthorized, match=r"push access denied|unauthorized: authentication required"):
                await push(store, f"{target}:1")
            with pytest.raises(Unauthorized):
                await push(store, f"{target}:1", RegistryAuth(username="user", password="wrong"))
            realm.asked.clear()
            await push(store, f"{target}:1", AUTH)
            assert realm.asked[0]["scopes"].startswith(f"repository:{target.partition('/')[2]}:pull,push")
            await store.images.remove(f"{target}:1")
        await store.images.remove(f"{registry.address}/for/tokens:1")
        realm.asked.clear()
        await pull(store, f"{opened}:1")
        assert [asked["scopes"] for asked in realm.asked] == ["repository:open/image:pull"] and "account" not in realm.asked[0]
        with pytest.raises(NotFound, match="pull access denied"):
            await pull(store, f"{shut}:1")
        realm.asked.clear()
        await pull(store, f"{shut}:1", RegistryAuth(identitytoken=IDENTITY))
        assert (realm.asked[0]["method"], realm.asked[0]["grant_type"]) == ("POST", "refresh_token")
        with pytest.raises(Unauthorized):
            await pull(store, f"{shut}:1", RegistryAuth(identitytoken="old"))
        assert await REPOSITORIES.tags(shut, auth=AUTH) == ["1"]
        assert await REPOSITORIES.list(guarded.address, auth=AUTH) == ["open/image", "shut/image"]
        with pytest.raises(Unauthorized, match="refuses to list what it has"):
            await REPOSITORIES.list(guarded.address)
        digest = (await REPOSITORIES.inspect(f"{opened}:1")).descriptor.digest
        with pytest.raises(Unauthorized, match="delete access denied"):
            await REPOSITORIES.remove(f"{opened}@{digest}")
        await REPOSITORIES.remove(f"{opened}@{digest}", auth=AUTH)
        assert realm.asked[-1]["scopes"] == "repository:open/image:delete"


async def test_a_token_that_ends_meanwhile_is_had_anew(store: Store, registry: Registry, tmp_path: Path) -> None:
    async with token_registry(tmp_path / "t") as (guarded, realm):
        registry.push("for/old", "1", images_data.ImageData([image(name).layers[0] for name in "abcd"]))
        await pull(store, f"{registry.address}/for/old:1")
        await store.images.tag(f"{registry.address}/for/old:1", f"{guarded.address}/shut/old:1")
        await push(store, f"{guarded.address}/shut/old:1", AUTH)
        assert len(realm.asked) == 1
        realm.seconds = -1000
        with pytest.raises(MobyError):
            await pull(store, f"{guarded.address}/shut/old:1", AUTH)


async def test_login_gets_an_identity_token(engine: Engine, tmp_path: Path) -> None:
    async with token_registry(tmp_path / "t") as (guarded, realm):
        auth = RegistryAuth(username=LOGIN[0], password=LOGIN[1], serveraddress=guarded.address)
        assert await engine.system.login(auth) == Login(status="Login Succeeded", identity_token=IDENTITY)
        assert realm.asked[-1]["offline_token"] == "true" and realm.asked[-1]["scopes"] == ""
        auth.password = "wrong"
        with pytest.raises(Unauthorized, match=r"login attempt to .* failed with status: 401"):
            await engine.system.login(auth)


async def test_what_login_keeps_is_what_pull_shows(
    cli: Callable[..., subprocess.CompletedProcess[str]], registry: Registry, store: Store, tmp_path: Path
) -> None:
    """The identity token, and no password; logout forgets it."""
    registry.push("for/login", "1", image("x"))
    await pull(store, f"{registry.address}/for/login:1")
    run = partial(asyncio.to_thread, partial(cli, env={"DOCKER_CONFIG": str(tmp_path)}))
    async with token_registry(tmp_path / "t") as (guarded, realm):
        target = f"{guarded.address}/shut/image:1"
        await store.images.tag(f"{registry.address}/for/login:1", target)
        await push(store, target, AUTH)
        await store.images.remove(target)
        await run("login", "-u", LOGIN[0], "--password-stdin", guarded.address, input=LOGIN[1])
        kept = (tmp_path / "config.json").read_text()
        assert IDENTITY in kept and LOGIN[1] not in kept
        realm.asked.clear()
        await run("pull", target)
        assert [(asked["method"], asked["scopes"]) for asked in realm.asked] == [("POST", "repository:shut/image:pull")]
        await run("logout", guarded.address)
        assert (await run("pull", target, check=False)).returncode == 1


def test_the_command_line(cli: Callable[..., subprocess.CompletedProcess[str]], registry: Registry, tmp_path: Path) -> None:
    run = partial(cli, env={"DOCKER_CONFIG": str(tmp_path)})
    digest = registry.push("cli/box", "1", image("x"))
    name = f"{registry.address}/cli/box"
    assert "cli/box\n" in run("registry", "ls", registry.address).stdout
    assert run("registry", "tags", name).stdout == "1\n"
    assert json.loads(run("registry", "inspect", f"{name}:1").stdout)["Descriptor"]["digest"] == digest
    assert run("registry", "referrers", f"{name}:1").stdout.split() == ["DIGEST", "ARTIFACT", "TYPE", "SIZE"]
    assert run("search", "--format", "{{.Name}}", name).stdout == f"{name}\n"
    refused = run("registry", "rm", f"{name}:1", check=False)
    assert refused.returncode == 1 and "does not let a tag alone be deleted" in refused.stderr
    assert run("registry", "rm", f"{name}@{digest}").stdout == f"Deleted: {name}@{digest}\n"


@pytest.mark.usefixtures("no_logins")
async def test_a_registry_with_a_password_is_looked_at_with_it(tmp_path: Path) -> None:
    with running(tmp_path / "registry", htpasswd=HTPASSWD) as guarded:
        with pytest.raises(Unauthorized):
            await REPOSITORIES.list(guarded.address)
        assert await REPOSITORIES.list(guarded.address, auth=AUTH) == []
