"""``moby search``: in Docker Hub's index, and in other registries.

The interface is Docker's first (``/v1/search?q=TERM&n=LIMIT``), which Docker Hub and some others still have; a registry without it is asked
for the list of its repositories, as podman does.
"""

from __future__ import annotations

import msgspec

from moby_tui.engine.resources.images.registry.connection import Connection
from moby_tui.engine.resources.images.registry.hosts import PULL, Host, hosts_of, settled
from moby_tui.engine.resources.images.registry.registry import Registry
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.reference import DEFAULT_DOMAIN, Reference
from moby_tui.schema.base import Filters, decode
from moby_tui.schema.image import RegistryAuth, SearchResult

_HUB = "https://index.docker.io/v1"
_DEFAULT_LIMIT, _MOST = 25, 100
_LIMIT = 8 << 20
_YES, _NO = frozenset(("1", "true")), frozenset(("0", "false"))
_FILTERS = frozenset(("is-automated", "is-official", "stars"))


class _Answer(msgspec.Struct):
    results: list[SearchResult] | None = None


async def search(
    term: str, limit: int, filters: Filters, auth: RegistryAuth | None, options: EngineOptions
) -> list[SearchResult]:
    """The repositories that ``term``, ``REGISTRY/term`` for any but Docker Hub, finds.

    Raises ``InvalidArgument``, ``NotFound``, ``Unauthorized``, ``Unavailable``."""
    if not 0 <= limit <= _MOST:
        raise InvalidArgument(f"limit {limit} is outside the range of [1, {_MOST}]")
    wanted = _Wanted(filters)
    domain, name = _split(term)
    results = await _ask(domain, name, limit or _DEFAULT_LIMIT, auth, options)
    return [result for result in results if wanted.fits(result)][: limit or _DEFAULT_LIMIT]


def _split(term: str) -> tuple[str, str]:
    if "://" in term:
        raise InvalidArgument(f"invalid repository name {term!r}: it should not have a scheme")
    first, slash, rest = term.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        domain = DEFAULT_DOMAIN if first == "index.docker.io" else first
        name = rest
    else:
        domain, name = DEFAULT_DOMAIN, term
    name = name.removeprefix("library/") if domain == DEFAULT_DOMAIN else name
    if not name and domain == DEFAULT_DOMAIN:
        raise InvalidArgument("name something to search for")
    return domain, name


async def _ask(domain: str, name: str, limit: int, auth: RegistryAuth | None, options: EngineOptions) -> list[SearchResult]:
    host = await settled(hosts_of(domain, options)[-1], options)
    if domain == DEFAULT_DOMAIN:
        return await _index(Host(_HUB, domain), name, limit, auth, options)
    first = Host(
        f"{host.base.removesuffix('/v2')}/v1", domain, host.can, host.authorities, host.clients, host.verify, host.headers
    )
    try:
        results = await _index(first, name, limit, auth, options)
    except NotFound:
        async with Registry(Reference(domain, ""), auth, options, host=host) as registry:
            results = [SearchResult(name=one) for one in sorted(await registry.catalog()) if name in one]
    for result in results:
        result.name = result.name if result.name.startswith(f"{domain}/") else f"{domain}/{result.name}"
    return results


async def _index(host: Host, name: str, limit: int, auth: RegistryAuth | None, options: EngineOptions) -> list[SearchResult]:
    from yarl import URL

    url = str(URL(f"{host.base}/search").with_query(q=name, n=limit))
    async with Connection(Reference(host.domain, ""), host, auth, options, purpose=PULL) as connection:
        answer = await connection.ask("GET", url, {}, (200,), limit=_LIMIT)
    try:
        return decode(answer.body, _Answer).results or []
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        if host.base != _HUB:  # some registries answer any address with a web page
            raise NotFound(f"registry {host.domain} has no search") from error
        raise MobyError(f"registry {host.domain} sends a list that cannot be read: {error}") from error


class _Wanted:
    """The filters of a search. Raises ``InvalidArgument`` for bad ones."""

    def __init__(self, filters: Filters) -> None:
        unknown = set(filters) - _FILTERS
        if unknown:
            raise InvalidArgument(f"invalid filter '{sorted(unknown)[0]}'")
        self._official = _flag(filters, "is-official")
        self._automated = _flag(filters, "is-automated")
        stars = filters.get("stars", [])
        if not all(text.isascii() and text.isdigit() for text in stars):
            raise InvalidArgument(f"invalid filter 'stars={stars}'")
        self._stars = max(map(int, stars), default=0)

    def fits(self, result: SearchResult) -> bool:
        return (
            self._official in (None, result.is_official)
            and self._automated in (None, result.is_automated)
            and result.star_count >= self._stars
        )


def _flag(filters: Filters, name: str) -> bool | None:
    values = {value.lower() for value in filters.get(name, [])}
    if not values:
        return None
    if values <= _YES:
        return True
    if values <= _NO:
        return False
    raise InvalidArgument(f"invalid filter '{name}={filters[name]}'")
