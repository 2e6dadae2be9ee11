"""The list that events keep."""

from __future__ import annotations

from moby_tui.schema.container import ContainerSummary, Port
from moby_tui.schema.event import Event, EventActor
from moby_tui.screens.session.containers import ContainerModel
from screens.conftest import there
from screens.fake_client import NOW, some_containers, summary


def event(action: str, identifier: str, kind: str = "container", at: int = NOW, **attributes: str) -> Event:
    return Event(type=kind, action=action, actor=EventActor(id=identifier, attributes=attributes), time=at, time_nano=at * 10**9)


def model_of(*rows: ContainerSummary) -> ContainerModel:
    model = ContainerModel()
    model.reset(rows, NOW)
    return model


def test_running_ones_come_first_then_names() -> None:
    model = model_of(*some_containers())
    assert [row.name for row in model.sorted()] == ["database", "web", "worker", "cache", "draft", "batch", "migrate"]
    assert model.running() == 4


def test_a_death_is_shown_before_the_engines_row_arrives() -> None:
    row = summary(1, "web")
    model = model_of(row)
    change = model.apply(event("die", row.id, exitCode="3"))
    assert change.touched == change.stale == {row.id}
    assert there(model.get(row.id)).describe(NOW + 60) == "exited 3 · 1m"


def test_a_start_knows_its_time_and_a_rough_status_line_does_not_overrule_it() -> None:
    row = summary(1, "web", "exited", "Exited (0) 2 hours ago")
    model = model_of(row)
    model.apply(event("start", row.id, at=NOW + 10))
    model.merge([summary(1, "web", status="Up Less than a second")], [row.id], NOW + 11)
    assert there(model.get(row.id)).since == NOW + 10


def test_a_removed_container_does_not_come_back_with_a_list_that_was_under_way() -> None:
    row = summary(1, "web")
    model = model_of(row)
    assert model.apply(event("destroy", row.id)).touched == {row.id}
    model.merge([row], [row.id], NOW)
    assert row.id not in model and len(model) == 0


def test_a_row_that_was_asked_for_and_did_not_come_is_gone() -> None:
    model = model_of(*some_containers())
    first = model.sorted()[0]
    assert model.merge([], [first.id], NOW) == {first.id}
    assert first.id not in model


def test_an_exec_in_a_container_asks_for_nothing() -> None:
    row = summary(1, "web")
    change = model_of(row).apply(event("exec_start: sh", row.id))
    assert not change.touched and not change.stale


def test_a_network_event_makes_its_container_stale() -> None:
    row = summary(1, "web")
    assert model_of(row).apply(event("connect", "net", kind="network", container=row.id)).stale == {row.id}


def test_filter_words_must_all_match_and_negated_ones_must_not() -> None:
    model = model_of(*some_containers())
    assert [row.name for row in model.sorted("exited !python")] == ["batch"]
    assert [row.name for row in model.sorted("nginx 8080")] == ["web"]
    assert len(model.sorted("!")) == 7


def test_hostile_names_lose_their_control_characters() -> None:
    row = summary(1, "x\x1b]0;owned\x07\x1b[31my\u202e", image="im\x07age")
    shown = model_of(row).sorted()[0]
    assert (shown.name, shown.image) == ("xy", "image")


def test_ports_are_told_once_for_both_families() -> None:
    ports = [Port(private_port=80, public_port=8080, ip="0.0.0.0"), Port(private_port=80, public_port=8080, ip="::"),
             Port(private_port=53, public_port=53, type="udp"), Port(private_port=9000)]  # fmt: skip
    assert model_of(summary(1, "web", ports=ports)).sorted()[0].ports == "53→53/udp 8080→80"


def test_statuses_of_the_api() -> None:
    states = {
        "Up About an hour": "up 1h", "Up 3 days (unhealthy)": "up 3d unhealthy", "Up Less than a second": "up 1s",
        "Up 2 weeks (health: starting)": "up 14d starting",
    }  # fmt: skip
    for status, told in states.items():
        assert model_of(summary(1, "web", status=status)).sorted()[0].describe(NOW) == told


def test_a_filter_finds_what_is_on_the_screen() -> None:
    model = model_of(*some_containers())
    assert not model.sorted("un") and not model.sorted("running")
    assert [row.name for row in model.sorted("up")] == ["database", "web", "worker"]
    assert [row.name for row in model.sorted("040404")] == ["batch"] and not model.sorted("0404")


def test_what_the_state_says() -> None:
    waits = summary(1, "web", "restarting", "Restarting (1) 5 seconds ago")
    assert model_of(waits).sorted()[0].describe(NOW) == "restart, exit 1 · 5s"


def test_out_of_memory_is_told_as_such_until_the_next_start() -> None:
    row = summary(1, "web")
    model = model_of(row)
    model.apply(event("oom", row.id))
    model.apply(event("die", row.id, exitCode="137"))
    assert there(model.get(row.id)).describe_state() == "out of memory"
    row.state, row.status = "exited", "Exited (137) 1 second ago"
    model.merge([row], [row.id], NOW)
    assert there(model.get(row.id)).describe_state() == "out of memory"
    model.apply(event("start", row.id))
    model.apply(event("die", row.id, exitCode="137"))
    assert there(model.get(row.id)).describe_state() == "exited 137"
