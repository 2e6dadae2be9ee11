"""Containers, and the commands of docker's that are about them without their noun: ``moby run``, ``moby ps``."""

from __future__ import annotations

from moby_tui.cli.table.declare import (
    Argument,
    Command,
    FormatOptions,
    Noun,
    Options,
    PruneOptions,
    dry_run,
    many,
    switch,
    table_format,
    value,
)


class ExecOptions(Options):
    detach: bool = switch("-d", "--detach", help="Detached mode: run command in the background")
    interactive: bool = switch("-i", "--interactive", help="Keep STDIN open even if not attached")
    tty: bool = switch("-t", "--tty", help="Allocate a pseudo-TTY")
    env: list[str] = many("-e", "--env", help="Set environment variables", completes="variables")
    env_file: list[str] = many("--env-file", help="Read in a file of environment variables")
    user: str = value("-u", "--user", help='Username or UID (format: "<name|uid>[:<group|gid>]")')
    workdir: str = value("-w", "--workdir", help="Working directory inside the container")
    privileged: bool = switch("--privileged", help="Give extended privileges to the command")
    detach_keys: str = value("--detach-keys", help="Override the key sequence for detaching a container")


class SignalOptions(Options):
    signal: str = value("-s", "--signal", help="Signal to send to the container", completes="signals")


class StopOptions(SignalOptions):
    timeout: int | None = value(
        "-t", "--timeout", "--time", default=None, metavar="int", help="Seconds to wait before killing the container"
    )


class RemoveOptions(Options):
    force: bool = switch("-f", "--force", help="Force the removal of a running container (uses SIGKILL)")
    volumes: bool = switch("-v", "--volumes", help="Remove anonymous volumes associated with the container")
    link: bool = switch("-l", "--link", help="Remove the specified link")
    dry_run: bool = dry_run()


class LogsOptions(Options):
    follow: bool = switch("-f", "--follow", help="Follow log output")
    since: str = value("--since", help='Show logs since a time (2026-01-02T13:23:37Z) or a duration ago ("42m")')
    until: str = value("--until", help='Show logs before a time (2026-01-02T13:23:37Z) or a duration ago ("42m")')
    tail: str = value("-n", "--tail", default="all", help="Number of lines to show from the end of the logs")
    timestamps: bool = switch("-t", "--timestamps", help="Show timestamps")
    details: bool = switch("--details", help="Show extra details provided to logs")
    tui: bool = switch("--tui", help="Open the dashboard on the logs of any number of containers, to search and filter them")


class PsOptions(Options):
    all: bool = switch("-a", "--all", help="Show all containers (default shows just running)")
    filter: list[str] = many("-f", "--filter", help="Filter output based on conditions provided", metavar="filter")
    format: str = table_format()
    last: int = value("-n", "--last", default=-1, metavar="int", help="Show n last created containers (includes all states)")
    latest: bool = switch("-l", "--latest", help="Show the latest created container (includes all states)")
    no_trunc: bool = switch("--no-trunc", help="Don't truncate output")
    quiet: bool = switch("-q", "--quiet", help="Only display container IDs")
    size: bool = switch("-s", "--size", help="Display total file sizes")


class ContainerInspectOptions(FormatOptions):
    size: bool = switch("-s", "--size", help="Display total file sizes of a container")


class ContainerAttachOptions(Options):
    detach_keys: str = value("--detach-keys", help="Override the key sequence for detaching a container")
    no_stdin: bool = switch("--no-stdin", help="Do not attach STDIN")
    sig_proxy: bool = switch("--sig-proxy/--no-sig-proxy", help="Proxy all received signals to the process", default=True)


class ContainerCommitOptions(Options):
    author: str = value("-a", "--author", help='Author (e.g., "Ada <ada@example.org>")')
    change: list[str] = many("-c", "--change", help="Apply Dockerfile instruction to the created image")
    message: str = value("-m", "--message", help="Commit message")
    pause: bool = switch("-p", "--pause/--no-pause", help="Pause container during commit", default=True)


class ContainerCpOptions(Options):
    archive: bool = switch("-a", "--archive", help="Archive mode (copy all uid/gid information)")
    follow_link: bool = switch("-L", "--follow-link", help="Always follow symbol link in SRC_PATH")
    quiet: bool = switch("-q", "--quiet", help="Suppress progress output during copy")


class ContainerExportOptions(Options):
    output: str = value("-o", "--output", help="Write to a file, instead of STDOUT", completes="files")


class ContainerStartOptions(Options):
    checkpoint: str = value("--checkpoint", hidden=True, help="Restore from this checkpoint")
    checkpoint_dir: str = value("--checkpoint-dir", hidden=True, help="Use a custom checkpoint storage directory")
    attach: bool = switch("-a", "--attach", help="Attach STDOUT/STDERR and forward signals")
    interactive: bool = switch("-i", "--interactive", help="Attach container's STDIN")
    detach_keys: str = value("--detach-keys", help="Override the key sequence for detaching a container")


class ContainerStatsOptions(Options):
    all: bool = switch("-a", "--all", help="Show all containers (default shows just running)")
    format: str = table_format()
    no_stream: bool = switch("--no-stream", help="Disable streaming stats and only pull the first result")
    no_trunc: bool = switch("--no-trunc", help="Do not truncate output")


CONTAINER = Noun(
    "container",
    "Manage containers",
    Command(
        "attach",
        "containers.attach:attach",
        ContainerAttachOptions,
        Argument("container", "CONTAINER", completes="running containers"),
        help="Attach local standard input, output, and error streams to a running container.",
        examples=(
            "moby attach web",
            "moby attach --no-stdin --detach-keys ctrl-x web",
        ),
        root="attach",
    ),
    Command(
        "commit",
        "containers.commit:commit",
        ContainerCommitOptions,
        Argument("container", "CONTAINER", completes="containers"),
        Argument("reference", "[REPOSITORY[:TAG]]", required=False, completes="images"),
        help="Create a new image from a container's changes.",
        examples=(
            "moby commit web web:patched",
            "moby commit -c 'CMD [\"nginx\"]' -m 'with our settings' web web:patched",
        ),
        root="commit",
    ),
    Command(
        "cp",
        "containers.copy:cp",
        ContainerCpOptions,
        Argument("source", "CONTAINER:SRC_PATH|SRC_PATH|-", completes="paths in containers"),
        Argument("target", "CONTAINER:DEST_PATH|DEST_PATH|-", completes="paths in containers"),
        help="Copy files/folders between a container and the local filesystem.",
        about="With - for a path on this side, a tar archive is read from STDIN or written to STDOUT.",
        examples=(
            "moby cp web:/etc/nginx/nginx.conf .",
            "moby cp ./site/. web:/usr/share/nginx/html",
            "moby cp web:/var/log - | tar -t",
        ),
        root="cp",
        usage="CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    ),
    Command(
        "create",
        "containers.create:create",
        "run:CreateOptions",
        Argument("image", "IMAGE", completes="images"),
        Argument("words", "[COMMAND] [ARG...]", many=True, required=False, completes="files"),
        help="Create a new container.",
        about="Its ID is printed; `moby start` runs it.",
        examples=(
            "moby create --name web -p 8080:80 nginx",
            "moby create -it alpine sh",
        ),
        status="0 if the container was made, 125 if not.",
        root="create",
        interspersed=False,
    ),
    Command(
        "diff",
        "containers.details:diff",
        Options,
        Argument("container", "CONTAINER", completes="containers"),
        help="Inspect changes to files or directories on a container's filesystem.",
        about="C stands for changed, A for added, D for deleted.",
        examples=("moby diff web",),
        root="diff",
    ),
    Command(
        "exec",
        "containers.execute:execute",
        ExecOptions,
        Argument("container", "CONTAINER", completes="running containers"),
        Argument("words", "COMMAND [ARG...]", many=True, completes="files"),
        help="Execute a command in a running container.",
        examples=(
            "moby exec -it web sh",
            "moby exec -u 0 -w /tmp -e DEBUG=1 web id",
        ),
        status="That of the program. 126 if it cannot be executed, 127 if it is not there, 1 if the engine refuses, 125 if an option is "
        "wrong.",
        root="exec",
        interspersed=False,
    ),
    Command(
        "export",
        "containers.copy:export",
        ContainerExportOptions,
        Argument("container", "CONTAINER", completes="containers"),
        help="Export a container's filesystem as a tar archive.",
        examples=(
            "moby export web > web.tar",
            "moby export -o web.tar web",
        ),
        root="export",
    ),
    Command(
        "inspect",
        "inspect:container",
        ContainerInspectOptions,
        Argument("names", "CONTAINER...", many=True, completes="containers"),
        help="Display detailed information on one or more containers.",
        examples=(
            "moby container inspect web",
            "moby container inspect -f '{{.State.Pid}}' web",
        ),
    ),
    Command(
        "kill",
        "containers.lifecycle:kill",
        SignalOptions,
        Argument("containers", "CONTAINER...", many=True, completes="live containers"),
        help="Kill one or more running containers.",
        examples=(
            "moby kill web",
            "moby kill -s HUP web",
        ),
        root="kill",
    ),
    Command(
        "logs",
        "logs:logs",
        LogsOptions,
        Argument("container", "CONTAINER", required=False, completes="containers"),
        Argument("more", "[CONTAINER...]", many=True, required=False, given={("--tui", ""): "containers"}, only_with="tui"),
        help="Fetch the logs of a container.",
        examples=(
            "moby logs -f --tail 100 web",
            "moby logs --since 10m -t web",
            "moby logs --tui --since 1h web db",
        ),
        root="logs",
    ),
    Command(
        "ls",
        "containers.ps:ps",
        PsOptions,
        help="List containers.",
        examples=(
            "moby ps -a",
            "moby ps --filter label=team=web --format '{{.Names}}: {{.Status}}'",
        ),
        aliases=(
            "list",
            "ps",
        ),
        root="ps",
    ),
    Command(
        "pause",
        "containers.lifecycle:pause",
        Options,
        Argument("containers", "CONTAINER...", many=True, completes="running containers"),
        help="Pause all processes within one or more containers.",
        examples=("moby pause web",),
        root="pause",
    ),
    Command(
        "port",
        "containers.details:port",
        Options,
        Argument("container", "CONTAINER", completes="live containers"),
        Argument("private", "[PRIVATE_PORT[/PROTO]]", required=False),
        help="List port mappings or a specific mapping for the container.",
        examples=(
            "moby port web",
            "moby port web 80/tcp",
        ),
        root="port",
    ),
    Command(
        "prune",
        "prune:container",
        PruneOptions,
        help="Remove all stopped containers.",
        examples=(
            "moby container prune --dry-run",
            "moby container prune --force --filter until=24h",
        ),
        destroys=True,
    ),
    Command(
        "rename",
        "containers.lifecycle:rename",
        Options,
        Argument("container", "CONTAINER", completes="containers"),
        Argument("new_name", "NEW_NAME"),
        help="Rename a container.",
        examples=("moby rename web web-old",),
        root="rename",
    ),
    Command(
        "restart",
        "containers.lifecycle:restart",
        StopOptions,
        Argument("containers", "CONTAINER...", many=True, completes="containers"),
        help="Restart one or more containers.",
        examples=(
            "moby restart web",
            "moby restart -t 30 web db",
        ),
        root="restart",
    ),
    Command(
        "rm",
        "containers.lifecycle:rm",
        RemoveOptions,
        Argument("containers", "CONTAINER...", many=True, completes="ended containers", given={("--force", ""): "containers"}),
        help="Remove one or more containers.",
        about="With --link: links to containers, which are written LINKING/ALIAS.",
        examples=(
            "moby rm web",
            "moby rm -f -v web db",
        ),
        aliases=("remove",),
        root="rm",
        destroys=True,
    ),
    Command(
        "run",
        "containers.run:run",
        "run:RunOptions",
        Argument("image", "IMAGE", completes="images"),
        Argument("words", "[COMMAND] [ARG...]", many=True, required=False, completes="files"),
        help="Create and run a new container from an image.",
        examples=(
            "moby run --rm alpine echo hello",
            'moby run -it --rm -v "$PWD:/src" -w /src python:3.13 bash',
            "moby run -d --name web -p 127.0.0.1:8080:80 --memory 256m nginx",
        ),
        status="That of the program. 125 if the container cannot be made or started, 126 if the program cannot be executed, 127 if it "
        "is not there.",
        root="run",
        interspersed=False,
    ),
    Command(
        "start",
        "containers.start:start",
        ContainerStartOptions,
        Argument("containers", "CONTAINER...", many=True, completes="stopped containers"),
        help="Start one or more stopped containers.",
        examples=(
            "moby start web",
            "moby start -ai shell",
        ),
        root="start",
    ),
    Command(
        "stats",
        "containers.stats:stats",
        ContainerStatsOptions,
        Argument("containers", "[CONTAINER...]", many=True, required=False, completes="live containers"),
        help="Display a live stream of container(s) resource usage statistics.",
        examples=(
            "moby stats",
            "moby stats --no-stream --format '{{.Name}} {{.MemUsage}}' web",
        ),
        root="stats",
    ),
    Command(
        "stop",
        "containers.lifecycle:stop",
        StopOptions,
        Argument("containers", "CONTAINER...", many=True, completes="live containers"),
        help="Stop one or more running containers.",
        examples=(
            "moby stop web",
            "moby stop -t 30 web db",
        ),
        root="stop",
    ),
    Command(
        "top",
        "containers.details:top",
        Options,
        Argument("container", "CONTAINER", completes="live containers"),
        Argument("ps_options", "[ps OPTIONS]", many=True, required=False),
        help="Display the running processes of a container.",
        examples=(
            "moby top web",
            "moby top web -o pid,cmd",
        ),
        root="top",
        interspersed=False,
    ),
    Command(
        "unpause",
        "containers.lifecycle:unpause",
        Options,
        Argument("containers", "CONTAINER...", many=True, completes="paused containers"),
        help="Unpause all processes within one or more containers.",
        examples=("moby unpause web",),
        root="unpause",
    ),
    Command(
        "update",
        "containers.update:update",
        "run:UpdateOptions",
        Argument("containers", "CONTAINER [CONTAINER...]", many=True, completes="containers"),
        help="Update configuration of one or more containers.",
        examples=(
            "moby update --memory 512m --cpus 1.5 web",
            "moby update --publish-add 8443:443 web",
        ),
        root="update",
    ),
    Command(
        "wait",
        "containers.lifecycle:wait",
        Options,
        Argument("containers", "CONTAINER...", many=True, completes="live containers"),
        help="Block until one or more containers stop, then print their exit codes.",
        examples=("moby wait job",),
        root="wait",
    ),
)
