"""Contexts: names for engines."""

from __future__ import annotations

from moby_tui.cli.table.declare import Argument, Command, FormatOptions, Noun, Options, dry_run, switch, table_format, value


class ContextUpdateOptions(Options):
    docker: str = value(
        "--docker", help="Set the docker endpoint: host=, ca=, cert=, key=, skip-tls-verify=, from=", metavar="stringToString"
    )
    description: str = value("--description", help="Description of the context")


class ContextCreateOptions(ContextUpdateOptions):
    source: str = value("--from", help="Create context from a named context", completes="contexts or default")


class ContextLsOptions(Options):
    format: str = table_format()
    quiet: bool = switch("-q", "--quiet", help="Only show context names")


class ContextRmOptions(Options):
    force: bool = switch("-f", "--force", help="Force the removal of a context in use")
    dry_run: bool = dry_run()


CONTEXT = Noun(
    "context",
    "Manage contexts: names for engines",
    Command(
        "create",
        "contexts:create",
        ContextCreateOptions,
        Argument("name", "CONTEXT"),
        help="Create a context: a name for an engine.",
        examples=(
            "moby context create web --docker host=ssh://me@web.example",
            "moby context create ci --docker host=tcp://ci.example:2376,ca=ca.pem,cert=cert.pem,key=key.pem",
            "moby --context web ps",
        ),
    ),
    Command(
        "export",
        "contexts:export",
        Options,
        Argument("name", "CONTEXT", completes="contexts"),
        Argument("file", "[FILE|-]", required=False, completes="files"),
        help="Export a context to a tar archive FILE or a tar stream on STDOUT.",
        examples=(
            "moby context export web web.dockercontext",
            "moby context export web - | ssh other moby context import web -",
        ),
    ),
    Command(
        "import",
        "contexts:import_",
        Options,
        Argument("name", "CONTEXT"),
        Argument("file", "FILE|-", completes="files"),
        help="Import a context from a tar archive, as docker or moby exports it.",
        examples=("moby context import web web.dockercontext",),
    ),
    Command(
        "inspect",
        "contexts:inspect",
        FormatOptions,
        Argument("names", "[CONTEXT...]", many=True, required=False, completes="contexts"),
        help="Display detailed information on one or more contexts.",
        examples=(
            "moby context inspect web",
            "moby context inspect -f '{{.Endpoints.docker.Host}}'",
        ),
    ),
    Command(
        "ls",
        "contexts:ls",
        ContextLsOptions,
        help="List contexts.",
        examples=("moby context ls",),
        aliases=("list",),
    ),
    Command(
        "rm",
        "contexts:rm",
        ContextRmOptions,
        Argument("names", "CONTEXT...", many=True, completes="contexts"),
        help="Remove one or more contexts.",
        examples=("moby context rm web",),
        aliases=("remove",),
        destroys=True,
    ),
    Command(
        "show",
        "contexts:show",
        Options,
        help="Print the name of the current context.",
        examples=("moby context show",),
    ),
    Command(
        "update",
        "contexts:update",
        ContextUpdateOptions,
        Argument("name", "CONTEXT", completes="contexts"),
        help="Update a context.",
        examples=("moby context update web --docker host=ssh://root@web.example --description 'the web server'",),
    ),
    Command(
        "use",
        "contexts:use",
        Options,
        Argument("name", "CONTEXT", completes="contexts or default"),
        help="Set the current context, for moby and for docker; 'default' leaves it.",
        examples=(
            "moby context use web",
            "moby context use default",
        ),
    ),
)
