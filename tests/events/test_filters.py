"""Which events the filters of ``GET /events`` let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.events.bus import EventFilter
from moby_tui.schema.event import Event, EventActor

words = st.sampled_from(["a", "ab", "abc", "b", "alpine", "start", "health_status", "image", "container", ""])
events = st.builds(
    lambda type, action, id, attributes, scope: Event(
        type=type, action=action, actor=EventActor(id=id, attributes=attributes), scope=scope
    ),
    st.sampled_from(["container", "image", "network", "volume"]),
    st.sampled_from(["start", "die", "health_status: healthy", "exec_start: ls"]),
    words,
    st.dictionaries(st.sampled_from(["name", "image", "k"]), words),
    st.sampled_from(["local", "swarm"]),
)
keys = ["type", "scope", "event", "label", "image", "container", "network", "volume", "daemon"]
filters = st.dictionaries(st.sampled_from(keys), st.lists(words, max_size=3))


def event(type: str, action: str, id: str, **attributes: str) -> Event:
    return Event(type=type, action=action, actor=EventActor(id=id, attributes=attributes))


@given(events, filters, filters)
def test_keys_are_a_conjunction(event: Event, first: dict[str, list[str]], second: dict[str, list[str]]) -> None:
    second = {key: values for key, values in second.items() if key not in first}
    both = EventFilter({**first, **second}).matches(event)
    assert both == (EventFilter(first).matches(event) and EventFilter(second).matches(event))


@given(events, st.sampled_from([key for key in keys if key != "label"]), st.lists(words, min_size=1, max_size=3))
def test_values_are_alternatives(event: Event, key: str, values: list[str]) -> None:
    together = EventFilter({key: values}).matches(event)
    alone = any(EventFilter({key: [value]}).matches(event) for value in values)
    assert together >= alone
    if key != "event":
        assert together == alone


@given(events, st.lists(st.tuples(st.sampled_from(["name", "image", "k"]), words), max_size=3))
def test_labels_must_all_match(event: Event, labels: list[tuple[str, str]]) -> None:
    expected = all(event.actor.attributes.get(key) == value for key, value in labels)
    assert EventFilter({"label": [f"{key}={value}" for key, value in labels]}).matches(event) == expected


@given(events)
def test_no_filter_lets_everything_through(event: Event) -> None:
    assert EventFilter(None).matches(event) and EventFilter({"container": []}).matches(event)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("container", "we", True),
        ("container", "c0ffee", True),
        ("container", "eb", False),
        ("image", "alpine", True),
        ("image", "alpine:3", True),
        ("image", "alpine:4", False),
        ("event", "health_status", True),
        ("event", "health_status: healthy", True),
        ("event", "health", False),
        ("label", "tier", True),
        ("label", "tier=front", True),
        ("label", "tier=fr", False),
        ("type", "container", True),
        ("scope", "swarm", False),
    ],
)
def test_a_containers_event(key: str, value: str, expected: bool) -> None:
    happened = event("container", "health_status: healthy", "c0ffee01", name="web", image="alpine:3", tier="front")
    assert EventFilter({key: [value]}).matches(happened) == expected


@pytest.mark.parametrize("name", ["alpine", "alpine:3", "docker.io/library/alpine:3"])
def test_an_image_is_meant_with_or_without_its_tag(name: str) -> None:
    assert EventFilter({"image": ["alpine"]}).matches(event("image", "pull", name, name=name))
    ported = event("image", "pull", "localhost:5000/alpine:3", name="localhost:5000/alpine")
    assert EventFilter({"image": ["localhost:5000/alpine"]}).matches(ported)
    assert not EventFilter({"image": ["localhost"]}).matches(ported)
