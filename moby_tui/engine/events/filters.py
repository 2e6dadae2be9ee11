"""Which events a reader asked for: the filters of ``GET /events``."""

from __future__ import annotations

from moby_tui.schema.base import Filters
from moby_tui.schema.event import Event

_BY_OBJECT = ("config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume")
_KEYS = frozenset((*_BY_OBJECT, "event", "image", "label", "scope", "type"))
#: Actions with a detail after a colon (``exec_start: sh``); a filter without detail matches any.
_DETAILED = frozenset(("health_status", "exec_create", "exec_start"))


class EventFilter:
    """Values of one key are alternatives, keys and labels all must match (Engine API, ``GET /events``)."""

    def __init__(self, filters: Filters | None) -> None:
        """A key that no event can be filtered by leaves none out, as with the Docker Engine."""
        self._filters = {key: values for key, values in (filters or {}).items() if values and key in _KEYS}

    def matches(self, event: Event) -> bool:
        """Whether the reader asked for this event."""
        return all(self._matches_key(key, values, event) for key, values in self._filters.items())

    def _matches_key(self, key: str, values: list[str], event: Event) -> bool:
        if key == "type":
            return event.type in values
        if key == "scope":
            return event.scope in values
        if key == "event":
            return _matches_action(values, event.action)
        if key == "label":
            return all(_has_label(event.actor.attributes, label) for label in values)
        if key == "image":
            return not _image_names(event).isdisjoint(values)
        prefixes = tuple(values)
        return event.actor.id.startswith(prefixes) or event.actor.attributes.get("name", "").startswith(prefixes)


def _matches_action(values: list[str], action: str) -> bool:
    if action in values:
        return True
    return not _DETAILED.isdisjoint(values) and action.startswith(tuple(values))


def _has_label(attributes: dict[str, str], label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in attributes and (not equals or attributes[key] == value)


def _image_names(event: Event) -> set[str]:
    """The values of an ``image`` filter that match this event: the image's id or name, or the container's image, with or without tag."""
    name = event.actor.attributes.get("name" if event.type == "image" else "image", "")
    return {event.actor.id, name, _familiar_name(event.actor.id), _familiar_name(name)}


def _familiar_name(reference: str) -> str:
    """``docker.io/library/alpine:3@sha256:…`` -> ``alpine``: without digest, tag and the default registry."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    name = folder + slash + last.partition(":")[0]
    return name.removeprefix("docker.io/").removeprefix("library/")
