"""Builds and their cache."""

from __future__ import annotations

from moby_tui.cli.table.declare import (
    Argument,
    Command,
    Noun,
    Options,
    PruneOptions,
    TrustOptions,
    many,
    switch,
    table_format,
    value,
)


class BuildOptions(TrustOptions):
    file: str = value(
        "-f",
        "--file",
        help='Name of the Dockerfile (default: "PATH/Dockerfile"); "-" reads it from standard input',
        completes="files",
    )
    tag: list[str] = many("-t", "--tag", help='Name and optionally a tag in the "name:tag" format')
    build_arg: list[str] = many("--build-arg", help="Set build-time variables")
    build_context: list[str] = many("--build-context", metavar="name=path", help="Additional build contexts")
    target: str = value("--target", help="Set the target build stage to build")
    platform: list[str] = many("--platform", help="Set target platforms for the build", completes="platforms")
    output: list[str] = many("-o", "--output", metavar="type=...|path|-", help="Output destination", completes="files")
    push: bool = switch("--push", help="Push the tags to their registries")
    load: bool = switch("--load", help="Keep the image in the store, beside other outputs")
    secret: list[str] = many("--secret", metavar="id=NAME[,src=FILE|,env=VAR]", help="Secret to expose to the build")
    ssh: list[str] = many("--ssh", metavar="default|ID[=SOCKET|KEY,...]", help="SSH agent or keys to expose to the build")
    allow: list[str] = many("--allow", metavar="ENTITLEMENT", help="Allow RUN steps network.host or security.insecure")
    check: bool = switch("--check", help="Check the Dockerfile, and build nothing")
    label: list[str] = many("--label", help="Set metadata for an image")
    annotation: list[str] = many("--annotation", help="Add an annotation to the manifest of the image")
    pull: bool = switch("--pull", help="Always attempt to pull all referenced images")
    no_cache: bool = switch("--no-cache", help="Do not use cache when building the image")
    no_cache_filter: list[str] = many("--no-cache-filter", metavar="stages", help="Do not cache specified stages")
    cache_from: list[str] = many("--cache-from", metavar="ref|type=...", help="External cache sources")
    cache_to: list[str] = many("--cache-to", metavar="type=...", help="Cache export destinations")
    add_host: list[str] = many("--add-host", help="Add a custom host-to-IP mapping (host:ip)")
    network: str = value(
        "--network", metavar="mode", help="Networking mode of RUN steps: default, none, host", completes="default|host|none"
    )
    shm_size: str = value("--shm-size", metavar="bytes", help="Size of /dev/shm in RUN steps")
    ulimit: list[str] = many("--ulimit", metavar="ulimit", help="Ulimit options of RUN steps")
    memory: str = value("-m", "--memory", metavar="bytes", help="Memory limit of RUN steps")
    memory_swap: str = value("--memory-swap", metavar="bytes", help="Memory and swap of RUN steps; -1 is no limit to swap")
    cpu_shares: int = value("-c", "--cpu-shares", default=0, metavar="int", help="CPU shares (relative weight) of RUN steps")
    cpu_period: int = value("--cpu-period", default=0, metavar="int", help="Limit the CPU CFS period of RUN steps")
    cpu_quota: int = value("--cpu-quota", default=0, metavar="int", help="Limit the CPU CFS quota of RUN steps")
    cpuset_cpus: str = value("--cpuset-cpus", help="CPUs in which RUN steps may run (0-3, 0,1)")
    cpuset_mems: str = value("--cpuset-mems", help="MEMs in which RUN steps may run (0-3, 0,1)")
    cgroup_parent: str = value("--cgroup-parent", help="Parent cgroup of RUN steps")
    jobs: int = value(
        "--jobs", default=0, metavar="int", help="RUN steps at a time (default: the number of processors, at least 8)"
    )
    progress: str = value(
        "--progress",
        metavar="type",
        help="Type of progress output: auto, plain, tty, rawjson, quiet",
        completes="auto|plain|rawjson|tty",
    )
    quiet: bool = switch("-q", "--quiet", help="Suppress the build output and print image ID on success")
    iidfile: str = value("--iidfile", help="Write the image ID to the file")
    metadata_file: str = value("--metadata-file", help="Write the build's result as JSON to the file")
    debug: bool = switch("--debug", help="Open a shell in a RUN step that fails")
    # what docker has from its first builder: of the first three nothing is left to do
    rm: bool = value(
        "--rm/--no-rm", default=True, metavar="", hidden=True, help="Remove intermediate containers (there are none)"
    )
    force_rm: bool = value(
        "--force-rm/--no-force-rm",
        default=False,
        metavar="",
        hidden=True,
        help="Remove intermediate containers of a failed build",
    )
    compress: bool = value("--compress/--no-compress", default=False, metavar="", hidden=True, help="Compress the build context")
    isolation: str = value("--isolation", hidden=True, help="Container isolation technology (default is the only one)")
    squash: bool = value("--squash/--no-squash", default=False, metavar="", hidden=True, help="Squash newly built layers")
    security_opt: list[str] = value("--security-opt", default=(), metavar="list", hidden=True, help="Security options")


class BuilderPruneOptions(PruneOptions):
    all: bool = switch("-a", "--all", help="Remove what images are made of too, not just the rest")
    reserved_space: str = value(
        "--reserved-space", "--keep-storage", help="Bytes that stay in any case, of what was used last", metavar="bytes"
    )
    max_used_space: str = value("--max-used-space", help="Bytes that may stay, of what was used last", metavar="bytes")
    min_free_space: str = value(
        "--min-free-space",
        help="Bytes to be free on the disk: only what that takes goes, or all if they are free",
        metavar="bytes",
    )


class BuilderDuOptions(Options):
    format: str = table_format()
    no_trunc: bool = switch("--no-trunc", help="Do not truncate output")


BUILD = Command(
    "build",
    "builds.build:build",
    BuildOptions,
    Argument("context", "PATH|URL|-", completes="folders"),
    help="Build an image from a Dockerfile.",
    examples=(
        "moby build -t app .",
        "moby build -t app -f docker/Dockerfile --build-arg VERSION=2 .",
        "tar -c . | moby build -t app -",
        "moby build -t app https://example.org/project.git#v1:src",
        "moby build --ssh default --secret id=token,src=token.txt .",
        "moby build --check .",
        "moby build -o out .                              the files of the result in ./out",
        "moby build -t registry:5000/app --push --cache-to type=inline --cache-from registry:5000/app .",
    ),
    root="build",
)

BUILDER = Noun(
    "builder",
    "Manage builds",
    BUILD,
    Command(
        "du",
        "builds.build_cache:disk_use",
        BuilderDuOptions,
        help="Show what the build cache holds, and what each step takes.",
        examples=(
            "moby builder du",
            "moby builder du --no-trunc",
        ),
    ),
    Command(
        "prune",
        "prune:builder",
        BuilderPruneOptions,
        help="Remove build cache, and what RUN --mount=type=cache kept.",
        examples=(
            "moby builder prune --max-used-space 10g --force",
            "moby builder prune --min-free-space 50g --reserved-space 2g",
            "moby builder prune --all --filter until=48h --dry-run",
        ),
        destroys=True,
    ),
)
