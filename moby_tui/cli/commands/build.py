"""``moby build``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.cli.declare import Options, many, switch, value
from moby_tui.cli.flags import spread
from moby_tui.errors import InvalidArgument, NotImplementedYet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from moby_tui.api.client.protocol import Client

app = typer.Typer()
#: As BuildKit's.
_SECRET_LIMIT = 500 * 1024


class BuildOptions(Options):
    file: str = value("-f", "--file", help="Name of the Dockerfile (default: PATH/Dockerfile)")
    tag: list[str] = many("-t", "--tag", help='Name and optionally a tag in the "name:tag" format')
    build_arg: list[str] = many("--build-arg", help="Set build-time variables")
    label: list[str] = many("--label", help="Set metadata for an image")
    target: str = value("--target", help="Set the target build stage to build")
    no_cache: bool = switch("--no-cache", help="Do not use cache when building the image")
    quiet: bool = switch("-q", "--quiet", help="Suppress the build output and print image ID on success")
    secret: list[str] = many("--secret", metavar="id=NAME[,src=FILE|,env=VAR]", help="Secret to expose to the build")
    ssh: list[str] = many("--ssh", metavar="default|ID[=SOCKET|KEY,...]", help="SSH agent or keys to expose to the build")
    allow: list[str] = many("--allow", metavar="ENTITLEMENT", help="Allow network.host or security.insecure")
    check: bool = switch("--check", help="Check the Dockerfile, and build nothing")
    iidfile: str = value("--iidfile", help="Write the image ID to the file")


@app.command(
    "build",
    epilog="""\b
Examples:
  moby build -t app .
  moby build -t app -f docker/Dockerfile --build-arg VERSION=2 .
  tar -c . | moby build -t app -
  moby build --ssh default --secret id=token,src=token.txt .
  moby build --check .
""",
)
@spread
def build(options: BuildOptions, context: Annotated[str, typer.Argument(metavar="PATH|-", show_default=False)]) -> None:
    """Build an image from a Dockerfile."""
    image = session.call(lambda client: _build(client, options, context))
    if options.iidfile:
        with open(options.iidfile, "w") as file:
            file.write(image)
    if options.quiet:
        print(image)


async def _build(client: Client, options: BuildOptions, context: str) -> str:
    """Builds; returns the image's id."""
    from moby_tui.cli.output import progress
    from moby_tui.cli.values.environment import environment, pairs

    sent, dockerfile = _context(context, options.file)
    steps = client.builder.build(
        sent,
        dockerfile=dockerfile,
        tags=options.tag,
        build_args=pairs("--build-arg", [entry for entry in environment(options.build_arg, (), os.environ) if "=" in entry]),
        labels=pairs("--label", options.label),
        target=options.target,
        no_cache=options.no_cache,
        secrets=_secrets(options.secret, os.environ),
        ssh=_agents(options.ssh, os.environ),
        allow=options.allow,
        check=options.check,
    )
    results = await (progress.consume(steps) if options.quiet else progress.show(steps))
    return next((str(step.aux["ID"]) for step in reversed(results) if step.aux and "ID" in step.aux), "")


def _secrets(given: list[str], environment: Mapping[str, str]) -> dict[str, bytes]:
    """As docker's: a file, or a variable; that of the secret's own name where neither is named. Raises ``InvalidArgument``."""
    found: dict[str, bytes] = {}
    for text in given:
        options = dict(entry.partition("=")[::2] for entry in text.split(","))
        ident = options.pop("id", "")
        kind = options.pop("type", "")
        source = options.pop("src", "") or options.pop("source", "")
        variable = options.pop("env", "") or (source if kind == "env" else "" if source else ident)
        if not ident or options or kind not in ("", "file", "env"):
            raise InvalidArgument(
                f"invalid secret {text[:80]!r}: write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE"
            )
        if variable:
            if variable not in environment:
                raise InvalidArgument(f"secret {ident}: the variable {variable} is not set; set it, or name a file with src=")
            found[ident] = environment[variable].encode("utf-8", "surrogateescape")
            continue
        try:
            with open(source, "rb") as file:
                found[ident] = file.read(_SECRET_LIMIT + 1)
        except OSError as error:
            raise InvalidArgument(f"secret {ident}: {source}: {(error.strerror or '').lower()}") from error
        if len(found[ident]) > _SECRET_LIMIT:
            raise InvalidArgument(f"secret {ident}: {source} has more than {_SECRET_LIMIT} bytes")
    return found


def _agents(given: list[str], environment: Mapping[str, str]) -> dict[str, list[str]]:
    """For each id the socket of an agent, or keys. Raises ``InvalidArgument``."""
    found: dict[str, list[str]] = {}
    for text in given:
        ident, _, places = text.partition("=")
        paths = [os.path.abspath(path) for path in places.split(",") if path]
        if not paths and not (agent := environment.get("SSH_AUTH_SOCK", "")):
            raise InvalidArgument(f"--ssh {text[:80]}: no agent is running (SSH_AUTH_SOCK is not set); start one, or name a key")
        found[ident or "default"] = paths or [agent]
    return found


def _context(context: str, dockerfile: str) -> tuple[AsyncIterator[bytes], str]:
    """The context as a tar, and the Dockerfile's name in it."""
    from moby_tui.cli.context import add_context
    from moby_tui.cli.streams import chunks_of, packed

    if context == "-":
        return chunks_of("-"), dockerfile or "Dockerfile"
    if "://" in context or context.startswith("git@"):
        raise NotImplementedYet("build from a URL")
    if not os.path.isdir(context):
        raise InvalidArgument(f"build context {context} is not a directory")
    name = os.path.relpath(dockerfile, context) if dockerfile else "Dockerfile"
    if name.startswith(".."):
        raise NotImplementedYet("a Dockerfile outside of the build context")
    if not os.path.isfile(os.path.join(context, name)):
        raise InvalidArgument(f"no such Dockerfile: {os.path.join(context, name)}")
    return packed(lambda archive: add_context(archive, context, name)), name
