"""The Engine API's structs and those on disk: each field of one has its counterpart in the other, and comes back whole."""

from __future__ import annotations

import ast
import typing
from pathlib import Path
from types import UnionType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from msgspec.structs import fields

import moby_tui
from moby_tui.engine.containers import wire
from moby_tui.engine.store.records import containers as kept
from moby_tui.errors import InvalidArgument
from moby_tui.schema import container as api
from moby_tui.schema import traffic

RECORDS = Path(moby_tui.__file__).parent / "engine" / "store" / "records"
SAME = [
    *(
        (getattr(api, name), getattr(kept, name))
        for name in (
            *("HealthConfig", "ContainerConfig", "PortBinding", "RestartPolicy", "LogConfig", "DeviceMapping", "ThrottleDevice"),
            *("WeightDevice", "DeviceRequest", "Ulimit", "BindOptions", "VolumeDriverConfig", "VolumeOptions", "TmpfsOptions"),
            *(
                "ImageMountOptions",
                "Mount",
                "Resources",
                "SecretReference",
                "HostConfig",
                "EndpointIpamConfig",
                "EndpointSettings",
            ),
            *("NetworkingConfig", "MountPoint"),
        )
    ),
    (traffic.Shape, kept.Shape),
]


#: What is kept and not shown: how far a mount is read-only is in the bind's options, where dockerd shows it too.
NOT_SHOWN: dict[type[msgspec.Struct], tuple[str, ...]] = {kept.MountPoint: ("read_only_non_recursive",)}


@pytest.mark.parametrize(("shown", "stored"), SAME, ids=lambda kind: kind.__name__)
def test_no_field_of_the_api_is_lost(shown: type[msgspec.Struct], stored: type[msgspec.Struct]) -> None:
    """A field that the API gains is either kept, or named here with the reason."""
    assert shown is not stored
    not_shown = NOT_SHOWN.get(stored, ())
    assert [field.name for field in fields(shown)] == [field.name for field in fields(stored) if field.name not in not_shown]


def test_no_record_is_made_of_the_apis_structs() -> None:
    for path in RECORDS.glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {alias.name for node in imports for alias in node.names} | {getattr(node, "module", "") for node in imports}
        assert not {name for name in names if name and name.startswith("moby_tui.schema")}, path


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation, with all the fields of structs."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, UnionType):
        return st.one_of(*(values(argument) for argument in arguments if argument is not UnsetType))
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(st.sampled_from(["a", "80/tcp", ""]), values(arguments[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{name: values(hint) for name, hint in typing.get_type_hints(kind).items()})
    plain = {str: st.sampled_from(["", "x", "ü"]), int: st.integers(-2, 3), bool: st.booleans(), float: st.just(0.5)}
    return st.none() if kind is type(None) else plain[kind]


@given(config=values(api.ContainerConfig), host=values(api.HostConfig), networking=values(api.NetworkingConfig))
def test_what_is_kept_comes_back_as_it_was(config: Any, host: Any, networking: Any) -> None:
    config.healthcheck_on_failure_action = config.healthcheck_on_failure_action or UNSET
    stored = msgspec.json.decode(msgspec.json.encode(wire.config_to_keep(config)), type=kept.ContainerConfig)
    assert wire.config_to_show(stored) == config
    assert wire.host_to_show(msgspec.json.decode(msgspec.json.encode(wire.host_to_keep(host)), type=kept.HostConfig)) == host
    places = msgspec.json.decode(msgspec.json.encode(wire.networking_to_keep(networking)), type=kept.NetworkingConfig)
    assert msgspec.convert(places, api.NetworkingConfig, from_attributes=True) == networking


def test_a_mount_without_a_subpath_shows_none() -> None:
    mount = kept.MountPoint(type="volume", name="v", source="/s", destination="/d", driver="local", rw=False)
    assert b"Subpath" not in msgspec.json.encode(wire.mount_to_show(mount))
    assert wire.mount_to_show(msgspec.structs.replace(mount, subpath="x")).subpath == "x"


def test_a_value_of_another_type_is_refused_in_one_line() -> None:
    with pytest.raises(InvalidArgument, match="invalid container configuration: Expected `int`") as refused:
        wire.host_to_keep(api.HostConfig(memory="64m"))  # type: ignore[arg-type]
    assert "\n" not in refused.value.message


#: What a row of format 3 has on disk, whatever the API calls these fields; a change here is a new format.
ON_DISK = (
    b'{"id":"i","created":1.0,"created_at":"t","image":"m","image_id":"n","path":"p","args":["a"],"config":{"Env":["A=b"],'
    b'"Healthcheck":{"Test":["NONE"]}},"host_config":{"Memory":5,"BlkioDeviceReadIOps":[{"Path":"/d","Rate":1}],'
    b'"PortBindings":{"80/tcp":[{"HostPort":"1"}]},"RestartPolicy":{"Name":"no"},"UTSMode":"host","LogConfig":{}},'
    b'"networking":{"EndpointsConfig":{"n":{"IPAMConfig":{"IPv4Address":"10.0.0.2"},"MacAddress":"m"}}},'
    b'"mounts":[{"Type":"bind","RW":false}]}'
)


def test_the_names_on_disk_stay() -> None:
    record = msgspec.json.decode(ON_DISK, type=kept.ContainerRecord)
    again = msgspec.json.decode(msgspec.json.encode(record))
    assert again == msgspec.json.decode(ON_DISK)
