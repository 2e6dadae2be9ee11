"""Commands without a noun, but for those that are ``root`` of another one: they are about this program, or about several nouns."""

from __future__ import annotations

from moby_tui.cli.table.declare import Argument, Command, FormatOptions, Noun, Options, many, switch, table_format, value


class InspectOptions(FormatOptions):
    size: bool = switch("-s", "--size", help="Display total file sizes of a container")
    type: str | None = value(
        "--type", help="Only inspect objects of the given type", default=None, completes="container|image|network|secret|volume"
    )


class LoginOptions(Options):
    username: str | None = value("-u", "--username", help="Username", default=None)
    password: str = value("-p", "--password", help="Password or personal access token")
    password_stdin: bool = switch("--password-stdin", help="Take the password from standard input")


class SearchOptions(Options):
    filter: list[str] = many("-f", "--filter", help="is-official=true, is-automated=false, stars=3", metavar="filter")
    format: str = table_format()
    limit: int = value("--limit", help="Max number of search results (1 to 100)", default=25, metavar="int")
    no_trunc: bool = switch("--no-trunc", help="Don't truncate output")


class TuiOptions(Options):
    read_only: bool = switch("--read-only", help="Change nothing in the engine")
    web: bool = switch("--web", help="Serve it to a browser, at an address with a token that is printed, until SIGINT or SIGTERM")
    host: str = value("--host", metavar="address", help="With --web: address of this machine to listen on  [default: 127.0.0.1]")
    port: int = value(
        "--port", default=-1, metavar="int", help="With --web: port to listen on, 0 for one that is free  [default: 8765]"
    )
    allowed_host: list[str] = many(
        "--allowed-host", metavar="name", help="With --web: name that browsers may call this machine, as behind a proxy with TLS"
    )
    allow_remote: bool = switch(
        "--allow-remote", help="With --web: let --host be an address that other machines reach, without TLS"
    )


ROOT = Noun(
    "",
    "",
    Command(
        "completion",
        "system.completion:completion",
        Options,
        Argument("shell", "bash|zsh|fish", completes="bash|zsh|fish"),
        help="Output the shell completion script for the specified shell (bash, zsh or fish).",
        examples=(
            "source <(moby completion bash)                 in this shell; in ~/.bashrc for each",
            "source <(moby completion zsh)                  after compinit in ~/.zshrc",
            "moby completion fish > ~/.config/fish/completions/moby.fish",
        ),
    ),
    Command(
        "daemon",
        "system.daemon:daemon",
        "daemon:DaemonOptions",
        help="Serve the Docker Engine API on a socket, until SIGTERM or SIGINT; containers live on.",
        about=(
            "Containers that ended with the machine or the last daemon are started first, where their restart policy says "
            "so. SIGHUP reads the configuration file again."
        ),
        examples=(
            "moby daemon -H unix:///run/moby.sock",
            "moby daemon --config-file /etc/moby/daemon.json --validate",
            "DOCKER_HOST=unix:///run/moby.sock docker ps",
        ),
    ),
    Command(
        "inspect",
        "inspect:inspect",
        InspectOptions,
        Argument(
            "names",
            "NAME|ID...",
            many=True,
            completes="objects",
            given={
                ("--type", "container"): "containers",
                ("--type", "image"): "images",
                ("--type", "network"): "networks",
                ("--type", "secret"): "secrets",
                ("--type", "volume"): "volumes",
            },
        ),
        help="Return low-level information on Docker objects.",
        about="They are containers, images, networks, volumes and secrets.",
        examples=(
            "moby inspect web",
            "moby inspect --type image -f '{{.Id}}' alpine",
        ),
    ),
    Command(
        "login",
        "registries.login:login",
        LoginOptions,
        Argument("server", "[SERVER]", required=False),
        help="Log in to a registry, and keep the login for pull and push.",
        examples=(
            "moby login reg.example:5000",
            "cat password | moby login -u me --password-stdin reg.example:5000",
        ),
    ),
    Command(
        "logout",
        "registries.login:logout",
        Options,
        Argument("server", "[SERVER]", required=False),
        help="Forget the login of a registry.",
        examples=("moby logout reg.example:5000",),
    ),
    Command(
        "search",
        "registries.registry:search",
        SearchOptions,
        Argument("term", "[REGISTRY/]TERM"),
        help="Search Docker Hub, or the registry that TERM begins with, for images.",
        examples=(
            "moby search --filter is-official=true --limit 5 python",
            "moby search reg.example:5000/web",
        ),
    ),
    Command(
        "tui",
        "system.tui:tui",
        TuiOptions,
        Argument("container", "[CONTAINER]", required=False, completes="containers"),
        help="Open the dashboard, or open it on a container.",
        examples=(
            "moby tui",
            "moby tui web",
            "moby tui --web --read-only                     then open the address that it prints",
            "moby -H ssh://root@web.example tui",
        ),
    ),
    Command(
        "version",
        "system.version:version",
        FormatOptions,
        help="Show the version of this program, and of the engine it speaks to.",
        examples=(
            "moby version",
            "moby version -f '{{.Client.Version}}'",
        ),
    ),
)
