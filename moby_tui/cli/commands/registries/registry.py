"""``moby search`` and ``moby registry``: registries looked at, and cleaned up, without a pull."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.schema.image import SearchResult

app = typer.Typer()

Format = Annotated[
    str, typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False)
]
_FOUND = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}
_REFERRERS = {"Digest": "DIGEST", "ArtifactType": "ARTIFACT TYPE", "Size": "SIZE"}
_DESCRIPTION = 45


@app.command(
    "search",
    epilog="""\b
Examples:
  moby search --filter is-official=true --limit 5 python
  moby search reg.example:5000/web
""",
)
def search(
    term: Annotated[str, typer.Argument(metavar="[REGISTRY/]TERM", show_default=False)],
    filter: Annotated[
        list[str] | None,
        typer.Option("-f", "--filter", help="is-official=true, is-automated=false, stars=3", metavar="filter"),
    ] = None,
    format: Format = "",
    limit: Annotated[int, typer.Option("--limit", help="Max number of search results (1 to 100)", metavar="int")] = 25,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Don't truncate output")] = False,
) -> None:
    """Search Docker Hub, or the registry that TERM begins with, for images."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters

    filters = parse_filters(filter or [])
    found = session.call(lambda client: client.registry.search(term, limit=limit, filters=filters, auth=session.login_for(term)))
    rows = [_result_row(result, truncate=not no_trunc) for result in found]
    for line in formatted(format, _FOUND, ("Name", "Description", "StarCount", "IsOfficial"), rows):
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


@app.command(
    "ls",
    epilog="""\b
Examples:
  moby registry ls reg.example:5000
""",
)
def ls(server: Annotated[str, typer.Argument(metavar="[SERVER]", show_default=False)] = "") -> None:
    """List the repositories of a registry that lets itself be listed."""
    from moby_tui import logins
    from moby_tui.cli.output.text import printable

    domain = logins.domain_of(server)
    for name in session.call(lambda client: client.registry.list(domain)):
        print(printable(name))


@app.command(
    "tags",
    epilog="""\b
Examples:
  moby registry tags reg.example:5000/team/web
""",
)
def tags(repository: Annotated[str, typer.Argument(metavar="REPOSITORY", show_default=False)]) -> None:
    """List the tags of a repository."""
    from moby_tui.cli.output.text import printable

    for tag in session.call(lambda client: client.registry.tags(repository)):
        print(printable(tag))


@app.command(
    "inspect",
    epilog="""\b
Examples:
  moby registry inspect reg.example:5000/team/web:1
""",
)
def inspect(reference: Annotated[str, typer.Argument(metavar="NAME[:TAG|@DIGEST]", show_default=False)]) -> None:
    """Show what a name stands for in its registry: digest, size and platforms, without a pull."""
    import json

    from moby_tui.schema.base import to_builtins

    found = session.call(lambda client: client.registry.inspect(reference, auth=session.login_for(reference)))
    print(json.dumps(to_builtins(found), indent=4))


@app.command(
    "referrers",
    epilog="""\b
Examples:
  moby registry referrers --artifact-type application/spdx+json reg.example:5000/team/web:1
""",
)
def referrers(
    reference: Annotated[str, typer.Argument(metavar="NAME[:TAG|@DIGEST]", show_default=False)],
    artifact_type: Annotated[
        str, typer.Option("--artifact-type", help="Only those of this type", metavar="string", show_default=False)
    ] = "",
    format: Format = "",
) -> None:
    """List what refers to an image: signatures, bills of materials, attestations."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.output.text import printable

    found = session.call(lambda client: client.registry.referrers(reference, artifact_type=artifact_type))
    rows = [{"Digest": one.digest, "ArtifactType": printable(one.artifact_type), "Size": str(one.size)} for one in found]
    for line in formatted(format, _REFERRERS, tuple(_REFERRERS), rows):
        print(line)


@app.command(
    "rm",
    epilog="""\b
Examples:
  moby registry rm reg.example:5000/team/web:1
  moby registry rm reg.example:5000/team/web@sha256:...
""",
)
def rm(names: Annotated[list[str], typer.Argument(metavar="NAME:TAG|NAME@DIGEST...", show_default=False)]) -> int:
    """Delete tags, or by digest images with all their tags, in a registry. What is on this machine stays."""

    async def remove(client: Client, name: str) -> None:
        print(f"Deleted: {await client.registry.remove(name)}", flush=True)

    return session.call_each(names, remove, show=False)
