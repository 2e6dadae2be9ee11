"""``moby search`` and ``moby registry``: registries looked at, and cleaned up, without a pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.declare import Options
    from moby_tui.cli.table.nounless import SearchOptions
    from moby_tui.cli.table.registries import RegistryReferrersOptions, RegistryRmOptions
    from moby_tui.schema.image import SearchResult


_FOUND = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}
_REFERRERS = {"Digest": "DIGEST", "ArtifactType": "ARTIFACT TYPE", "Size": "SIZE"}
_DESCRIPTION = 45


def search(options: SearchOptions, term: str) -> None:
    """``moby search``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(options.filter)
    results = session.call(
        lambda client: client.registry.search(term, limit=options.limit, filters=filters, auth=session.login_for(term))
    )
    rows = [_result_row(result, truncate=not options.no_trunc) for result in results]
    for line in formatted(
        options.format, _FOUND, ("Name", "Description", "StarCount", "IsOfficial"), rows, kind="*registry.searchContext"
    ):
        print(line)


def _result_row(result: SearchResult, *, truncate: bool) -> dict[str, str]:
    from moby_tui.cli.output.text import printable, shortened

    description = " ".join(result.description.split())
    return {
        "Name": printable(result.name),
        "Description": printable(shortened(description, _DESCRIPTION if truncate else 0)),
        "StarCount": str(result.star_count),
        "IsOfficial": "[OK]" if result.is_official else "",
        "IsAutomated": "[OK]" if result.is_automated else "",
    }


def ls(options: Options, server: str) -> None:
    """``moby registry ls``."""
    from moby_tui import logins
    from moby_tui.cli.output.text import printable

    domain = logins.domain_of(server)
    for name in session.call(lambda client: client.registry.list(domain)):
        print(printable(name))


def tags(options: Options, repository: str) -> None:
    """``moby registry tags``."""
    from moby_tui.cli.output.text import printable

    for tag in session.call(lambda client: client.registry.tags(repository)):
        print(printable(tag))


def inspect(options: Options, reference: str) -> None:
    """``moby registry inspect``."""
    import json

    from moby_tui.schema.base import to_builtins

    image = session.call(lambda client: client.registry.inspect(reference, auth=session.login_for(reference)))
    print(json.dumps(to_builtins(image), indent=4))


def referrers(options: RegistryReferrersOptions, reference: str) -> None:
    """``moby registry referrers``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.output.text import printable

    descriptors = session.call(lambda client: client.registry.referrers(reference, artifact_type=options.artifact_type))
    rows = [{"Digest": one.digest, "ArtifactType": printable(one.artifact_type), "Size": str(one.size)} for one in descriptors]
    for line in formatted(options.format, _REFERRERS, tuple(_REFERRERS), rows):
        print(line)


def rm(options: RegistryRmOptions, names: list[str]) -> int:
    """``moby registry rm``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(names, lambda look, name: look.registry(name))

    async def remove(client: Client, name: str) -> None:
        print(f"Deleted: {await client.registry.remove(name)}", flush=True)

    return session.call_each(names, remove, show=False)
