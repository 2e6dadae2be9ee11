"""Registries: search, logins, what they hold, lists of manifests."""

from __future__ import annotations

from moby_tui.cli.table.declare import Argument, Command, Noun, Options, dry_run, many, switch, table_format, value


class RegistryReferrersOptions(Options):
    artifact_type: str = value("--artifact-type", help="Only those of this type")
    format: str = table_format()


class ManifestAnnotateOptions(Options):
    arch: str = value("--arch", help="Set architecture")
    os: str = value("--os", help="Set operating system")
    os_features: list[str] = many("--os-features", help="Set operating system feature", metavar="strings")
    os_version: str = value("--os-version", help="Set operating system version")
    variant: str = value("--variant", help="Set architecture variant")


class ManifestCreateOptions(Options):
    amend: bool = switch("-a", "--amend", help="Amend an existing manifest list")
    insecure: bool = switch("--insecure", help="Allow communication with an insecure registry")


class ManifestInspectOptions(Options):
    insecure: bool = switch("--insecure", help="Allow communication with an insecure registry")
    verbose: bool = switch("-v", "--verbose", help="Output additional info including layers and platform")


class ManifestPushOptions(Options):
    insecure: bool = switch("--insecure", help="Allow push to an insecure registry")
    purge: bool = switch("-p", "--purge", help="Remove the local manifest list after push")


class RegistryRmOptions(Options):
    dry_run: bool = dry_run()


REGISTRY = Noun(
    "registry",
    "Look at registries",
    Command(
        "inspect",
        "registries.registry:inspect",
        Options,
        Argument("reference", "NAME[:TAG|@DIGEST]"),
        help="Show what a name stands for in its registry: digest, size and platforms, without a pull.",
        examples=("moby registry inspect reg.example:5000/team/web:1",),
    ),
    Command(
        "ls",
        "registries.registry:ls",
        Options,
        Argument("server", "[SERVER]", required=False),
        help="List the repositories of a registry that lets itself be listed.",
        examples=("moby registry ls reg.example:5000",),
        aliases=("list",),
    ),
    Command(
        "referrers",
        "registries.registry:referrers",
        RegistryReferrersOptions,
        Argument("reference", "NAME[:TAG|@DIGEST]"),
        help="List what refers to an image: signatures, bills of materials, attestations.",
        examples=("moby registry referrers --artifact-type application/spdx+json reg.example:5000/team/web:1",),
    ),
    Command(
        "rm",
        "registries.registry:rm",
        RegistryRmOptions,
        Argument("names", "NAME:TAG|NAME@DIGEST...", many=True),
        help="Delete tags, or by digest images with all their tags, in a registry. What is on this machine stays.",
        examples=(
            "moby registry rm reg.example:5000/team/web:1",
            "moby registry rm reg.example:5000/team/web@sha256:...",
        ),
        aliases=("remove",),
        destroys=True,
    ),
    Command(
        "tags",
        "registries.registry:tags",
        Options,
        Argument("repository", "REPOSITORY"),
        help="List the tags of a repository.",
        examples=("moby registry tags reg.example:5000/team/web",),
    ),
)


class ManifestRmOptions(Options):
    dry_run: bool = dry_run()


MANIFEST = Noun(
    "manifest",
    "Manage image manifests and manifest lists",
    Command(
        "annotate",
        "registries.manifests:annotate",
        ManifestAnnotateOptions,
        Argument("name", "MANIFEST_LIST"),
        Argument("manifest", "MANIFEST"),
        help="Add additional information to a local image manifest.",
        examples=("moby manifest annotate --arch arm --variant v6 reg.example/web:1 reg.example/web:1-pi",),
    ),
    Command(
        "create",
        "registries.manifests:create",
        ManifestCreateOptions,
        Argument("name", "MANIFEST_LIST"),
        Argument("manifests", "MANIFEST [MANIFEST...]", many=True),
        help="Create a local manifest list for annotating and pushing to a registry.",
        examples=(
            "moby manifest create reg.example/web:1 reg.example/web:1-amd64 reg.example/web:1-arm64",
            "moby manifest push --purge reg.example/web:1",
        ),
    ),
    Command(
        "inspect",
        "registries.manifests:inspect",
        ManifestInspectOptions,
        Argument("names", "[MANIFEST_LIST] MANIFEST", many=True),
        help="Display an image manifest, or manifest list: one of a local list, a local list, or what a registry has.",
        examples=(
            "moby manifest inspect reg.example/web:1",
            "moby manifest inspect -v reg.example/web:1 reg.example/web:1-pi",
        ),
    ),
    Command(
        "push",
        "registries.manifests:push",
        ManifestPushOptions,
        Argument("name", "MANIFEST_LIST"),
        help="Push a manifest list to a repository, with the manifests that the repository lacks.",
        examples=("moby manifest push --purge reg.example/web:1",),
    ),
    Command(
        "rm",
        "registries.manifests:rm",
        ManifestRmOptions,
        Argument("names", "MANIFEST_LIST [MANIFEST_LIST...]", many=True),
        help="Delete one or more manifest lists from local storage.",
        examples=("moby manifest rm reg.example/web:1",),
        aliases=("remove",),
        destroys=True,
    ),
)
