"""How the value of a directive is written: as JSON in ``daemon.json``, and as text after a flag."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from moby_tui.cli.values.devices import parse_ulimit
from moby_tui.cli.values.units import parse_size
from moby_tui.engine_options import CacheBounds
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.container import Ulimit
from moby_tui.schema.system import AddressPool

#: The bounds of the build cache, by their keys: the first is the former name of the second.
_BOUNDS = {
    "defaultKeepStorage": "reserved",
    "defaultReservedSpace": "reserved",
    "defaultMaxUsedSpace": "most",
    "defaultMinFreeSpace": "free",
}


class Kind(NamedTuple):
    """``of_json`` raises ``TypeError`` for a value that is not what is ``told``; both raise ``InvalidArgument`` for bad text."""

    told: str
    of_json: Callable[[Any], Any]
    of_flag: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_string, value))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _texts(value: Any) -> dict[str, str]:
    return {key: _string(text) for key, text in _object(value).items()}


def _pairs(given: list[str]) -> dict[str, str]:
    return {key: text for key, _, text in (entry.partition("=") for entry in given)}


def _maps(value: Any) -> dict[str, dict[str, str]]:
    return {key: _texts(entry) for key, entry in _object(value).items()}


def _proxies(value: Any) -> dict[str, str]:
    variables = _texts(value)
    if unknown := variables.keys() - {"http-proxy", "https-proxy", "no-proxy"}:
        raise InvalidArgument(f"{min(unknown)} is none of http-proxy, https-proxy and no-proxy")
    return variables


def _proxy_pairs(given: list[str]) -> dict[str, str]:
    return _proxies(_pairs(given))


def _nested(given: list[str]) -> dict[str, dict[str, str]]:
    nested: dict[str, dict[str, str]] = {}
    for text in given:
        outer, first, rest = text.partition("=")
        key, second, value = rest.partition("=")
        if not (first and second):
            raise InvalidArgument(f'invalid value "{text}" for map option, should be root-key=key=value')
        nested.setdefault(outer, {})[key] = value
    return nested


def _size(value: Any) -> int:
    return parse_size(_string(value))


def _ulimits(value: Any) -> tuple[Ulimit, ...]:
    limits = []
    for name, fields in _object(value).items():
        if not {"Name", "Hard", "Soft"} >= set(_object(fields)):
            raise TypeError
        limits.append(Ulimit(name=name, hard=_number(fields.get("Hard", 0)), soft=_number(fields.get("Soft", 0))))
    return tuple(limits)


def _pools(value: Any) -> tuple[AddressPool, ...]:
    if not isinstance(value, list):
        raise TypeError
    if not all(set(_object(pool)) == {"base", "size"} for pool in value):
        raise TypeError
    return tuple(AddressPool(base=_string(pool["base"]), size=_number(pool["size"])) for pool in value)


def _pool(text: str) -> AddressPool:
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    try:
        pool = AddressPool(base=fields.pop("base"), size=int(fields.pop("size")))
    except (KeyError, ValueError) as error:
        raise InvalidArgument(f"invalid address pool {text!r}; write it as base=10.10.0.0/16,size=24") from error
    if fields:
        raise InvalidArgument(f"invalid address pool {text!r}; write it as base=10.10.0.0/16,size=24")
    return pool


def _runtimes(value: Any) -> dict[str, str]:
    runtimes = {}
    for name, fields in _object(value).items():
        rest = {key: entry for key, entry in _object(fields).items() if key != "path" and entry}
        if rest:
            raise NotImplementedYet(f"{min(rest)} of runtime {name}")
        runtimes[name] = _string(fields.get("path"))
    return runtimes


def _named_paths(given: list[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise InvalidArgument(f"invalid value for --add-runtime: {name}: give it as name=path")
    return {name: path for name, _, path in pairs}


def _builder(value: Any) -> CacheBounds:
    fields = dict(_object(value))
    gc = dict(_object(fields.pop("gc", {}) or {}))
    if fields:
        raise NotImplementedYet(f"{min(fields)} of builder")
    enabled = _boolean(gc.pop("enabled", True))
    sizes = {name: _size(gc.pop(key)) for key, name in _BOUNDS.items() if gc.get(key)}
    if gc := {key: entry for key, entry in gc.items() if entry}:
        raise NotImplementedYet(f"{min(gc)} of builder.gc (its bounds are {', '.join(_BOUNDS)})")
    return CacheBounds(enabled=enabled, **sizes)


BOOLEAN = Kind("true or false", _boolean, _same)
NUMBER = Kind("a number", _number, _same)
STRING = Kind("a text", _string, _same)
STRINGS = Kind("a list of texts", _strings, tuple)
MAP = Kind("an object of texts", _texts, _pairs)
MAPS = Kind('an object like {"bridge": {"com.docker.network.driver.mtu": "1400"}}', _maps, _nested)
PROXIES = Kind('an object like {"https-proxy": "http://proxy:3128", "no-proxy": "localhost"}', _proxies, _proxy_pairs)
SIZE = Kind('a size as text, like "64M"', _size, parse_size)
ULIMITS = Kind(
    'an object like {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}}',
    _ulimits,
    lambda given: tuple(map(parse_ulimit, given)),
)
BUILDER = Kind('an object like {"gc": {"enabled": true, "defaultKeepStorage": "20GB"}}', _builder, _same)
POOLS = Kind('a list like [{"base": "10.10.0.0/16", "size": 24}]', _pools, lambda given: tuple(map(_pool, given)))
RUNTIMES = Kind('an object like {"name": {"path": "/usr/bin/program"}}', _runtimes, _named_paths)


def shown(value: Any) -> str:
    """A value as dockerd shows it in its messages: Go's ``%v``."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{shown(entry)}' for key, entry in sorted(value.items()))}]"
    return str(value)
