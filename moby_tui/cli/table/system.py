"""The engine, and this program."""

from __future__ import annotations

from moby_tui.cli.table.declare import (
    Command,
    FormatOptions,
    Noun,
    Options,
    PruneOptions,
    json_format,
    many,
    switch,
    table_format,
    value,
)


class SystemPruneOptions(PruneOptions):
    all: bool = switch("-a", "--all", help="Remove all unused images, not just dangling ones")
    volumes: bool = switch("--volumes", help="Prune anonymous volumes")


class SystemDfOptions(Options):
    format: str = table_format()
    verbose: bool = switch("-v", "--verbose", help="Show detailed information on space usage")


class SystemEventsOptions(Options):
    filter: list[str] = many("-f", "--filter", help="Filter output based on conditions provided", metavar="filter")
    format: str = json_format()
    since: str = value("--since", help="Show all events created since timestamp")
    until: str = value("--until", help="Stream events until this timestamp")


class SystemDoctorOptions(Options):
    format: str = json_format()


SYSTEM = Noun(
    "system",
    "Manage the engine",
    Command(
        "df",
        "system.disk:df",
        SystemDfOptions,
        help="Show disk usage.",
        about="All sizes are bytes on disk; together they are what du says of the data root.",
        examples=(
            "moby system df",
            "moby system df -v",
        ),
    ),
    Command(
        "dial-stdio",
        "system.dial_stdio:dial_stdio",
        Options,
        help="Proxy standard input and output to the engine's API: what ssh:// hosts run at the far end.",
        about=(
            "It is the engine that -H or the context names, or the daemon of this machine; if none runs, the engine in "
            "this process answers."
        ),
        examples=("ssh root@web.example moby system dial-stdio",),
    ),
    Command(
        "doctor",
        "system.doctor:doctor",
        SystemDoctorOptions,
        help="Tell what of kernel, control groups, firewall and file system is there, what is missing, and what to do.",
        about="One line for each: 'ok', 'absent' (an option or a protection is not there), 'warning' or 'error'. The exit code is 1 "
        "where there is an error. Nothing is changed.",
        examples=("moby system doctor", "moby system doctor --format json"),
    ),
    Command(
        "events",
        "system.events:events",
        SystemEventsOptions,
        help="Get real time events from the server.",
        examples=(
            "moby events",
            "moby events --since 10m --filter type=container --filter event=die",
        ),
        root="events",
    ),
    Command(
        "info",
        "system.info:info",
        FormatOptions,
        help="Display system-wide information.",
        examples=(
            "moby info",
            "moby info -f '{{.ServerVersion}}'",
        ),
        root="info",
    ),
    Command(
        "prune",
        "prune:system",
        SystemPruneOptions,
        help="Remove unused data: stopped containers, dangling images and build cache.",
        examples=(
            "moby system prune --all --volumes --dry-run",
            "moby system prune --force --filter until=24h",
        ),
        destroys=True,
    ),
    Command(
        "recover",
        "system.recover:recover",
        Options,
        help="Rebuild a lost or damaged database from what is on disk.",
        about=(
            "Containers, images and volumes come back from the records that lie beside their files, from what can be read "
            "of the database, and from its last backup (moby.db.backup in the data root). The damaged database is kept "
            "under another name. Containers may run meanwhile; stop a daemon first, and start it again afterwards."
        ),
        examples=(
            "moby system recover",
            "moby --data-root /srv/moby system recover",
        ),
    ),
)
