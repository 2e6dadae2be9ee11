"""Objects of the API as docker's command line has them while it executes a template: structs by Go's names, nil where Go has nil."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from moby_tui.schema.container import BRIDGE_FIELDS, EndpointSettings, NetworkSettings
from moby_tui.schema.event import Event
from moby_tui.schema.omitted import NOT_OF_IMAGES, is_left_out
from moby_tui.templates.values import Duration, Map, NilPointer, Slice, Struct, Time

#: What is called otherwise in Go than in JSON.
_GO_NAMES = {
    "ApiVersion": "APIVersion",
    "CpuCount": "CPUCount",
    "CpuPercent": "CPUPercent",
    "CpuPeriod": "CPUPeriod",
    "CpuQuota": "CPUQuota",
    "CpuRealtimePeriod": "CPURealtimePeriod",
    "CpuRealtimeRuntime": "CPURealtimeRuntime",
    "CpuShares": "CPUShares",
    "Dns": "DNS",
    "DnsOptions": "DNSOptions",
    "DnsSearch": "DNSSearch",
    "HostIp": "HostIP",
    "Id": "ID",
    "NanoCpus": "NanoCPUs",
    "scope": "Scope",
    "time": "Time",
    "timeNano": "TimeNano",
}
#: What is of another type in Go than its name says.
_GO_TYPES = {"Event": "events.Message"}
#: What is a ``time.Time`` there, and no string.
_MOMENTS = frozenset(
    {("Network", "Created"), ("HealthLogEntry", "Start"), ("HealthLogEntry", "End"), ("ImageMetadata", "LastTagTime")}
)
#: What is a ``time.Duration`` there, and no number.
_DURATIONS = frozenset({("HealthConfig", name) for name in ("Interval", "Timeout", "StartPeriod", "StartInterval")})


def typed(value: object, depth: int = 0) -> Any:
    """A struct of ours, or a few of them by name, as a template's value."""
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, dict) and depth < 2:
        fields = {_GO_NAMES.get(str(name), str(name)): typed(field, depth + 1) for name, field in value.items()}
        names = {_GO_NAMES.get(str(name), str(name)): str(name) for name in value}
        return Struct("struct", fields, json_names=names, pointer=True)
    return value


def _struct(value: msgspec.Struct) -> Struct:
    kind = type(value)
    hints = get_type_hints(kind)
    fields: dict[str, Any] = {}
    names: dict[str, str | None] = {}
    for name, encoded in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        go_name = _GO_NAMES.get(encoded, encoded)
        content = getattr(value, name)
        absent = content is msgspec.UNSET
        if (kind.__name__, encoded) in _MOMENTS:
            fields[go_name] = Time(content)
        elif (kind.__name__, encoded) in _DURATIONS:
            fields[go_name] = Duration(content)
        else:
            fields[go_name] = _value(None if absent else content, hints[name])
        names[go_name] = None if absent or is_left_out(kind.__name__, encoded, content) else encoded
    if kind.__name__ == "ImageInspect":
        _leave_out_of_image(fields["Config"])
    for go_name, content in _former_fields(value).items():
        fields[go_name], names[go_name] = content, None
    return Struct(_GO_TYPES.get(kind.__name__, f"api.{kind.__name__}"), fields, json_names=names, pointer=True)


def _leave_out_of_image(config: Struct) -> None:
    """The JSON of an image's configuration has nothing that is empty, or that is a container's."""
    config.json_names = {
        go_name: name if name not in NOT_OF_IMAGES and config.fields[go_name] else None
        for go_name, name in config.json_names.items()
    }


def _former_fields(value: msgspec.Struct) -> dict[str, Any]:
    """Fields that the API no longer sends and templates still name: those of the default bridge, and an event's first three."""
    if isinstance(value, NetworkSettings):
        bridge = _struct(value.networks.get("bridge") or EndpointSettings()).fields
        return {name: bridge[name] for name in BRIDGE_FIELDS}
    if isinstance(value, Event):
        has_fields = value.type in ("container", "image")
        return {
            "Status": value.action if has_fields else "",
            "ID": value.actor.id if has_fields else "",
            "From": value.actor.attributes.get("image", "") if has_fields else "",
        }
    return {}


def _alternatives(hint: Any) -> list[Any]:
    """The types that a field may have beside None."""
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [member for member in members if member not in (type(None), msgspec.UnsetType)]


def _value(value: Any, hint: Any) -> Any:
    """A field's value, with what its annotation says of one that is nil."""
    for member in _alternatives(hint):
        origin, arguments = get_origin(member), get_args(member)
        if origin is list and (value is None or isinstance(value, list)):
            items = None if value is None else [_value(item, arguments[0]) for item in value]
            return Slice(items, go_type(member))
        if origin is dict and (value is None or isinstance(value, dict)):
            return _map(value, member)
    if value is None:
        return NilPointer("*" + go_type(_alternatives(hint)[0]).removeprefix("*"))
    return _struct(value) if isinstance(value, msgspec.Struct) else value


def _map(value: dict[str, Any] | None, hint: Any) -> Map:
    kind = get_args(hint)[1]
    items = None if value is None else {key: _value(item, kind) for key, item in value.items()}
    return Map(items, go_type(hint), _zero(kind))


def _zero(kind: Any) -> Any:
    """What Go has if there is nothing."""
    return (
        {str: "", int: 0, bool: False, float: 0.0, Any: None}[kind]
        if kind in (str, int, bool, float, Any)
        else _value(None, kind)
    )


def go_type(hint: Any) -> str:
    member = _alternatives(hint)[0]
    origin, arguments = get_origin(member), get_args(member)
    if origin is list:
        return "[]" + go_type(arguments[0])
    if origin is dict:
        return "map[string]" + go_type(arguments[1])
    if isinstance(member, type) and issubclass(member, msgspec.Struct):
        return f"*api.{member.__name__}"
    return {str: "string", int: "int", bool: "bool", float: "float64"}.get(member, "interface {}")
