"""Projects: from labels, in the order of dependencies; what differs from a compose file, which may be hostile; the page."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from moby_tui.schema.container import (
    ContainerConfig,
    ContainerCreate,
    ContainerInspect,
    ContainerState,
    ContainerSummary,
    EndpointIpamConfig,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    Mount,
    MountPoint,
    NetworkingConfig,
)
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from moby_tui.schema.system import Info
from moby_tui.screens.app import Dashboard
from moby_tui.screens.command_line import CommandLine
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.forms.again import Now, request_of, shared_with
from moby_tui.screens.onboarding.composing import up_line
from moby_tui.screens.projects import compose_file, steps
from moby_tui.screens.projects.drift import differences, outdated
from moby_tui.screens.projects.model import Project, group, tree
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.widgets.facts_table import FactsTable
from screens.conftest import Eventually, Open
from screens.fake_client import NOW, FakeEngine, as_client, summary
from screens.typing_keys import typed

LABEL = "com.docker.compose."


def service(
    number: int, name: str, needs: str = "", state: str = "running", project: str = "shop", **more: str
) -> ContainerSummary:
    labels = {f"{LABEL}project": project, f"{LABEL}service": name, f"{LABEL}depends_on": needs, f"{LABEL}config-hash": "h"}
    labels |= {f"{LABEL}{key}": value for key, value in more.items()}
    status = "Up 3 minutes" if state == "running" else "Exited (0) 1 minute ago"
    return summary(number, f"{project}-{name}-{number}", state, status, image=f"{name}:1", labels=labels)


def some_services(file: str = "/srv/shop/compose.yaml") -> list[ContainerSummary]:
    at = {"project.config_files": file, "project.working_dir": "/srv/shop"}
    return [
        service(1, "web", "api:service_started:true", **at),
        service(2, "api", "db:service_healthy:false,cache:service_started:false", **at),
        service(3, "db", **at),
        service(4, "cache", **at),
        service(5, "api", "db:service_healthy:false,cache:service_started:false", **at),
        service(6, "job", oneoff="True", **at),
        service(7, "alone", project="other"),
        summary(8, "no-project"),
    ]


def shop(file: str = "/srv/shop/compose.yaml") -> Project:
    return next(one for one in group(some_services(file)) if one.name == "shop")


def test_services_stand_after_those_that_they_depend_on() -> None:
    assert [one.name for one in shop().services] == ["cache", "db", "api", "web"]
    assert [one.name for one in group(some_services())] == ["other", "shop"]
    assert (shop().running, shop().count) == (5, 5)
    assert shop().needed_by("db") == ("api",)
    assert tree(shop()) == ["● web", "└─ ● api (started)", "   ├─ ● db (healthy)", "   └─ ● cache (started)"]


def test_a_circle_and_a_need_without_containers_do_no_harm() -> None:
    circle = group([service(1, "a", "b:service_started"), service(2, "b", "a:service_started,gone:service_healthy")])[0]
    assert {one.name for one in circle.services} == {"a", "b"}
    assert any("gone (healthy) · has no container" in line for line in tree(circle))
    assert steps.starting(circle, circle.services) == []


def test_the_order_of_starting_and_stopping() -> None:
    rows = [
        service(n, name, needs, "exited") for n, name, needs in ((1, "web", "db:service_started"), (2, "db", ""), (3, "x", ""))
    ]
    project = group(rows)[0]
    assert [[one.name for one in step] for step in steps.starting(project)] == [["shop-db-2"], ["shop-x-3"], ["shop-web-1"]]
    web = project.service("web")
    assert web
    assert [[one.name for one in step] for step in steps.starting(project, [web])] == [["shop-db-2"], ["shop-web-1"]]
    assert [step[0].name for step in steps.stopping(shop())] == ["shop-web-1", "shop-api-2", "shop-db-3", "shop-cache-4"]


COMPOSE = """
x-common: &common {restart: always}
services:
  web: {<<: *common, image: "web:2"}
  api: {image: "api:${TAG}", deploy: {replicas: 3}}
  db: {image: docker.io/library/db:1}
  new: {build: .}
  debug: {image: d, profiles: [debug]}
"""


def test_drift(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE)
    found = {(one.service, one.what) for one in differences(shop(), compose_file.read([str(file)]), {})}
    assert found == {
        ("web", "runs web:1, the file says web:2"),
        ("api", "has 2 containers, the file says 3"),
        ("new", "is in the file and has no container"),
        ("cache", "has containers and is not in the file"),
    }
    old = dict.fromkeys((row.id for row in some_services()), 1)
    assert any("was changed after" in one.what for one in differences(shop(), compose_file.read([str(file)]), old))


BOMB = "a: &a {k: v}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join([f'*{chr(97 + n)}'] * 9)}], k{n}: v}}\n" for n in range(20)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB.encode(), "merges make too much"),
        (b"services: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        (b"[" * 5000, "nested too deeply"),
        (b"services: {a: " + b"x" * (257 << 10) + b"}", "larger than 256 KiB"),
        (b"services: [\xff\xfe", ""),
    ],
    ids=["merges", "object", "deep", "large", "encoding"],
)
def test_a_hostile_file_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "compose.yaml").write_bytes(content)
    with pytest.raises(ValueError) as refused:
        compose_file.read([str(tmp_path / "compose.yaml")])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("path", ["/proc/kmsg", "/dev/zero", "/proc/self/cwd/../../dev/kmsg", "/no/such", "/", "", "a\0b"])
def test_a_label_that_names_what_is_no_compose_file(path: str) -> None:
    with pytest.raises((OSError, ValueError)):
        compose_file.read([path])


@pytest.mark.parametrize("content", ["", "[]", "services: 3", "services: {a: null, 4: {image: [x], deploy: 3}}", "--- 5"])
def test_a_file_of_another_shape_has_no_services_or_empty_ones(tmp_path: Path, content: str) -> None:
    (tmp_path / "compose.yaml").write_text(content)
    assert all(not one.image for one in compose_file.read([str(tmp_path / "compose.yaml")]).services.values())


def test_an_image_whose_name_means_another_by_now() -> None:
    project = group([service(1, "web"), service(2, "api"), service(3, "db")])[0]
    known = project.services[0].members[0].image_id
    images = {"web:1": known, "docker.io/library/api:1": "sha256:other"}
    assert [one.service for one in outdated(project, images)] == ["api"]
    assert outdated(project, {}) == []


def test_what_a_container_is_made_of_again() -> None:
    old = ContainerInspect(
        id="a" * 64, created="", path="", args=[], image="sha256:1", name="/shop-web-1",
        state=ContainerState(),
        config=ContainerConfig(
            hostname="b" * 12, image="web:1", env=["PATH=/bin", "MODE=fast"], cmd=["serve"], entrypoint=["/run"], user="1",
            labels={"from": "image", "com.docker.compose.image": "sha256:1"}, volumes={"/cache": {}, "/own": {}},
        ),
        host_config=HostConfig(
            binds=["data:/data"], network_mode="container:" + "b" * 64, pid_mode="host", links=["/db:/shop-web-1/store"],
            volumes_from=["b" * 64 + ":ro"], mounts=[Mount(type="volume", target="/m"), Mount(type="bind", source="/m", target="/b")],
        ),
        mounts=[
            MountPoint(type="volume", name="c" * 64, destination="/cache"),
            MountPoint(type="volume", name="data", destination="/data"),
            MountPoint(type="volume", name="f" * 64, destination="/m"),
            MountPoint(type="volume", name="d" * 64, destination="/own", rw=False),
        ],
    )  # fmt: skip
    preset = ContainerConfig(
        env=["PATH=/bin"], cmd=["serve"], entrypoint=["/run"], labels={"from": "image"}, volumes={"/cache": {}}
    )
    now = Now(preset, {"com.docker.compose.image": "sha256:2", "other": "x"}, {"b" * 64: "e" * 64})
    request = request_of(old, now)
    made, host = request.config, request.config.host_config
    assert request.name == "shop-web-1" and (made.hostname, made.env, made.cmd, made.entrypoint) == (
        "",
        ["MODE=fast"],
        None,
        None,
    )
    assert made.user == "1" and made.labels == {"com.docker.compose.image": "sha256:2"} and made.volumes == {"/own": {}}
    assert host.binds == ["data:/data", f"{'c' * 64}:/cache", f"{'d' * 64}:/own:ro"]
    assert [one.source for one in host.mounts or []] == ["f" * 64, "/m"]
    assert host.network_mode == "container:" + "e" * 64 and host.pid_mode == "host" and made.networking_config is None
    assert host.links == ["db:store"] and host.volumes_from == ["e" * 64 + ":ro"]
    assert shared_with(old) == {"b" * 64}


async def test_services_of_the_engine_are_made_anew(
    roots: Any, busybox: str, engine: Any, open_dashboard: Open, eventually: Eventually
) -> None:
    from moby_tui.engine.engine import Engine

    pool = Ipam(config=[IpamPool(subnet="10.9.7.0/24")])
    await engine.networks.create(NetworkCreate(name="shop_default", ipam=pool))
    labels = {f"{LABEL}project": "shop", f"{LABEL}config-hash": "h", f"{LABEL}image": "sha256:old"}

    async def made(name: str, needs: str = "", **host: Any) -> str:
        place = EndpointSettings(
            aliases=[name], ipam_config=EndpointIpamConfig(ipv4_address="10.9.7.9") if name == "db" else None
        )
        mode = {"network_mode": "shop_default"} | host
        config = ContainerCreate(
            image=busybox,
            cmd=["sh", "-c", "touch /ready; exec sleep 1000"],
            stop_timeout=0,
            healthcheck=HealthConfig(test=["CMD", "test", "-e", "/ready"], interval=10**8, retries=50) if name == "db" else None,
            volumes={"/own": {}},
            labels=labels | {f"{LABEL}service": name, f"{LABEL}depends_on": needs},
            host_config=HostConfig(binds=["shop_data:/data"], **mode),
            networking_config=None if host else NetworkingConfig(endpoints_config={"shop_default": place}),
        )
        identifier: str = (await engine.containers.create(config, name=f"shop-{name}-1")).id
        await engine.containers.start(identifier)
        return identifier

    before = {"db": await made("db"), "web": await made("web", "db:service_healthy:true")}
    before["side"] = await made("side", network_mode=f"container:{before['db']}")
    first = {name: await engine.containers.inspect(one) for name, one in before.items()}
    async with open_dashboard(lambda: Engine.open(*roots), size=(140, 40)) as (app, pilot):
        await typed(app, pilot, "0")
        await eventually(pilot, lambda: app.screen.query("#projects") and app.screen.query_one(FactsTable).row_count == 4)
        app.go("projects", "shop", "db")
        await eventually(pilot, lambda: app.screen.query_one(FactsTable).chosen == "shop/db")
        await typed(app, pilot, "R")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        await typed(app, pilot, "y")
        deeds = app.session.activity
        await eventually(pilot, lambda: len(deeds) == 1 and all(one.outcome is not Outcome.RUNNING for one in deeds))
        assert [(one.outcome, one.detail) for one in deeds] == [(Outcome.DONE, "")]
    after = {name: await engine.containers.inspect(f"shop-{name}-1") for name in before}
    assert all(one.state.running for one in after.values()) and len(await engine.containers.list(all=True)) == 3
    assert after["db"].id != before["db"] and after["side"].id != before["side"], "it shares the network of db"
    assert after["web"].id == before["web"] and after["web"].state.started_at > first["web"].state.started_at, "restart: true"
    assert after["side"].host_config.network_mode == f"container:{after['db'].id}"
    db, image = after["db"], await engine.images.inspect(busybox)
    assert {key: value for key, value in (db.config.labels or {}).items() if key != f"{LABEL}image"} == {
        key: value for key, value in (first["db"].config.labels or {}).items() if key != f"{LABEL}image"
    }
    assert (db.config.labels or {})[f"{LABEL}image"] == image.id
    place = db.network_settings.networks["shop_default"]
    assert place.aliases == ["db"] and place.ip_address == "10.9.7.9"
    assert {(one.name, one.destination) for one in db.mounts} == {(one.name, one.destination) for one in first["db"].mounts}
    assert db.config.cmd == first["db"].config.cmd and db.config.env == first["db"].config.env


async def test_the_page(open_dashboard: Open, eventually: Eventually, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {image: 'web:2'}, api: {}, db: {}, cache: {}}")
    engine = FakeEngine(some_services(str(file)))
    engine.system.info = lambda: _later(Info(name=platform.node()))  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        await pilot.press("0")
        await eventually(pilot, lambda: app.screen.query("#projects") and app.screen.query_one(FactsTable).row_count == 7)
        table, told = app.screen.query_one(FactsTable), app.screen.query_one("#project", Static)
        await pilot.press("down", "down")
        await eventually(pilot, lambda: "the file says web:2" in str(told.render()))
        assert "└─ ● api (started)" in str(told.render())
        await pilot.press("x")
        await eventually(pilot, lambda: app.screen is not table.screen)
        await pilot.press("y")
        await eventually(pilot, lambda: len(engine.calls) == 5)
        stopped = [name for _, name, _ in engine.calls]
        assert stopped[0] == "shop-web-1"
        assert set(stopped[1:3]) == {"shop-api-2", "shop-api-5"}
        engine.calls.clear()
        await eventually(pilot, lambda: "0/5" in str(table.get_row_at(2)))
        await pilot.press("down", "down", "down", "s")  # api: its needs go first
        await eventually(pilot, lambda: len(engine.calls) == 4)
        assert [name for _, name, _ in engine.calls][:2] == ["shop-cache-4", "shop-db-3"]
        app.go("projects", "other")
        await eventually(pilot, lambda: table.chosen == "other")


class OneCompose:
    """In place of docker's plug-in: what it was asked for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.absent = ""

    def missing(self) -> str:
        return self.absent

    async def up(self, client: object, *files: str, before: Sequence[str] = (), after: Sequence[str] = ()) -> tuple[int, str]:
        self.lines.append(" ".join(up_line(files, before, after)))
        return 0, ""


async def test_recreate_is_of_the_file_where_it_can_be_and_the_question_says_of_what(
    eventually: Eventually, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {image: 'web:${TAG}'}, api: {}, db: {command: 'echo $$HOME ${X:-y}'}, cache: {}}")
    engine, compose = FakeEngine(some_services(str(file))), OneCompose()
    engine.system.info = lambda: _later(Info(name=platform.node()))  # type: ignore[method-assign]
    app: Any = Dashboard(as_client(lambda: engine), command_line=CommandLine(compose=compose))
    async with app.run_test(size=(140, 40)) as pilot:
        await eventually(pilot, lambda: app.session.connection.up)
        await pilot.press("0")
        await eventually(pilot, lambda: app.screen.query("#projects") and app.screen.query_one(FactsTable).row_count == 7)
        table = app.screen.query_one(FactsTable)
        app.go("projects", "shop", "web")
        await eventually(pilot, lambda: table.chosen == "shop/web")

        async def question() -> str:
            await pilot.press("R")
            await eventually(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query("#consequence"))
            said = str(app.screen.query_one("#consequence", Static).render())
            await pilot.press("escape")
            await eventually(pilot, lambda: app.screen is table.screen)
            return said

        assert "own settings, as the file needs TAG, which is not set here" in await question()
        compose.absent = "docker's compose plug-in is not here"
        assert "own settings, as docker's compose plug-in is not here" in await question()
        compose.absent = ""
        monkeypatch.setenv("TAG", "2")
        assert f"Of {file}, by docker compose" in await question()
        await pilot.press("R")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm) and app.screen.query("#consequence"))
        await pilot.press("y")
        await eventually(pilot, lambda: compose.lines)
        folder = f" --project-directory {app.screen.chosen.project.folder}" if app.screen.chosen.project.folder else ""
        assert compose.lines == [f"-p shop{folder} -f {file} up -d --force-recreate --no-deps web"]
        file.unlink()
        assert f"own settings, as {file}: is not there" in await question()


def test_variables_that_nothing_sets(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: '$A-${B}', environment: ['${C:?no}', '${D-x}', '${E:-x}', $$F, '${G:+x}']}}")
    wish = compose_file.read([str(file)])
    assert wish.variables == {"A", "B", "C"}
    (tmp_path / ".env").write_text("# A=1\nexport B = 2\n")
    assert compose_file.unset(wish, str(tmp_path), {"C": ""}) == ["A"]
    assert compose_file.unset(wish, str(tmp_path / "none"), {}) == ["A", "B", "C"]


async def _later(value: Any) -> Any:
    return value


def test_times_of_the_fixture_are_fixed() -> None:
    assert all(row.created < NOW for row in some_services())
