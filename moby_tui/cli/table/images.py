"""Images."""

from __future__ import annotations

from moby_tui.cli.table.builds import BUILD
from moby_tui.cli.table.declare import (
    Argument,
    Command,
    FormatOptions,
    Noun,
    Options,
    PruneOptions,
    TrustOptions,
    dry_run,
    json_format,
    many,
    switch,
    table_format,
    value,
)


class ImagePruneOptions(PruneOptions):
    all: bool = switch("-a", "--all", help="Remove all unused images, not just dangling ones")


class ImageAttestationsOptions(Options):
    type: str = value("--type", help="Only those whose predicate type has this in it: spdx, slsa")
    show: bool = switch("--show", help="Print what they say, as JSON")
    format: str = value("--format", help="'json': everything of each, one a line", completes="json")


class ImageVerifyOptions(Options):
    key: list[str] = many("--key", help="Public key in PEM, one of which must have signed", metavar="file", required=True)
    annotations: list[str] = many("-a", "--annotations", help="Annotation that the signature must have", metavar="key=value")
    identity: str = value("--identity", help="Repository that the signature must name, where it is not the image's own")
    format: str = json_format()


class ImageExploreOptions(Options):
    format: str = json_format()
    json: bool = switch("--json", help="The same as --format json")
    files: bool = switch("--files", help="List the files that each layer adds (A), changes (C), deletes (D)")
    layer: int | None = value("--layer", help="List the files of one layer; the lowest is 0", default=None, metavar="int")
    top: int = value("-n", "--top", help="Show so many of the paths that waste most", default=10, metavar="int")


class ImageHistoryOptions(Options):
    format: str = table_format()
    human: bool = switch("-H", "--human/--no-human", help="Print sizes and dates in human readable format", default=True)
    no_trunc: bool = switch("--no-trunc", help="Don't truncate output")
    platform: str = value(
        "--platform", help="Show history for the given platform", metavar="os[/arch[/variant]]", completes="platforms"
    )
    quiet: bool = switch("-q", "--quiet", help="Only show image IDs")


class ImageLsOptions(Options):
    all: bool = switch("-a", "--all", help="Show all images (default hides intermediate and dangling images)")
    digests: bool = switch("--digests", help="Show digests")
    filter: list[str] = many("-f", "--filter", help="Filter output based on conditions provided", metavar="filter")
    format: str = table_format()
    no_trunc: bool = switch("--no-trunc", help="Don't truncate output")
    quiet: bool = switch("-q", "--quiet", help="Only show image IDs")
    tree: bool = switch("--tree", help="List multi-platform images as a tree")


class ImageRmOptions(Options):
    force: bool = switch("-f", "--force", help="Force removal of the image")
    no_prune: bool = switch("--no-prune", help="Do not delete untagged parents")
    platform: list[str] = many(
        "--platform",
        help="Remove only the given platform variant (may come several times)",
        metavar="os[/arch[/variant]]",
        completes="platforms",
    )
    dry_run: bool = dry_run()


class ImageImportOptions(Options):
    change: list[str] = many("-c", "--change", help="Apply Dockerfile instruction to the created image")
    message: str = value("-m", "--message", help="Set commit message for imported image")
    platform: str = value("--platform", help="Set platform of the image", completes="platforms")


class ImageLoadOptions(Options):
    input: str = value("-i", "--input", help="Read from tar archive file, instead of STDIN", default="-", completes="files")
    platform: list[str] = many(
        "--platform",
        help="Load only the given platform variant (may come several times)",
        metavar="os[/arch[/variant]]",
        completes="platforms",
    )
    quiet: bool = switch("-q", "--quiet", help="Suppress the load output")


class ImageSaveOptions(Options):
    output: str = value("-o", "--output", help="Write to a file, instead of STDOUT", default="-", completes="files")
    platform: list[str] = many(
        "--platform",
        help="Save only the given platform variant (may come several times)",
        metavar="os[/arch[/variant]]",
        completes="platforms",
    )


class ImagePullOptions(TrustOptions):
    all_tags: bool = switch("-a", "--all-tags", help="Download all tagged images in the repository")
    platform: str = value("--platform", help="Set platform if the engine is multi-platform capable", completes="platforms")
    quiet: bool = switch("-q", "--quiet", help="Suppress verbose output")


class ImagePushOptions(TrustOptions):
    all_tags: bool = switch("-a", "--all-tags", help="Push all tags of an image to the repository")
    platform: str = value(
        "--platform", help="Push a platform-specific manifest", metavar="os[/arch[/variant]]", completes="platforms"
    )
    quiet: bool = switch("-q", "--quiet", help="Suppress verbose output")


class ImageInspectOptions(FormatOptions):
    platform: str = value(
        "--platform", help="Inspect a specific platform of the image", metavar="os[/arch[/variant]]", completes="platforms"
    )


IMAGE = Noun(
    "image",
    "Manage images",
    BUILD,
    Command(
        "attestations",
        "images.provenance:attestations",
        ImageAttestationsOptions,
        Argument("image", "IMAGE", completes="images"),
        help="List bills of materials, provenance and other attestations that are attached to an image in its registry.",
        about="They are shown as they are. Nothing of it is verified.",
        examples=(
            "moby image attestations reg.example/team/web:1",
            "moby image attestations --type spdx --show reg.example/team/web:1 > sbom.json",
        ),
    ),
    Command(
        "explore",
        "images.explore:explore",
        ImageExploreOptions,
        Argument("image", "IMAGE", completes="images"),
        help="Show what each layer adds, changes and deletes, and the bytes wasted.",
        about="Wasted are bytes of files that a later layer replaces or deletes: they are stored and sent, and nobody sees them.",
        examples=(
            "moby image explore web",
            "moby image explore --layer 2 web",
            "moby image explore --json web | jq .Efficiency",
        ),
    ),
    Command(
        "history",
        "images.images:history",
        ImageHistoryOptions,
        Argument("image", "IMAGE", completes="images"),
        help="Show the history of an image.",
        examples=(
            "moby history web:1",
            "moby history --no-trunc --format '{{.CreatedBy}}' web:1",
        ),
        root="history",
    ),
    Command(
        "import",
        "images.archives:import_",
        ImageImportOptions,
        Argument("source", "file|URL|-", completes="files"),
        Argument("reference", "[REPOSITORY[:TAG]]", required=False, completes="images"),
        help="Import the contents from a tarball to create a filesystem image.",
        about="The engine fetches what is at an http(s) address.",
        examples=(
            "moby import rootfs.tar.gz base:1",
            "moby import -c 'CMD [\"/bin/sh\"]' https://example.org/rootfs.tar base:1",
        ),
        root="import",
    ),
    Command(
        "inspect",
        "inspect:image",
        ImageInspectOptions,
        Argument("names", "IMAGE...", many=True, completes="images"),
        help="Display detailed information on one or more images.",
        examples=(
            "moby image inspect web:1",
            "moby image inspect -f '{{.Config.Entrypoint}}' web:1",
        ),
    ),
    Command(
        "load",
        "images.archives:load",
        ImageLoadOptions,
        help="Load an image from a tar archive or STDIN.",
        about="The archive may be compressed with gzip, bzip2, xz or zstd.",
        examples=(
            "moby load -i app.tar.zst",
            "ssh other moby save app | moby load",
        ),
        root="load",
    ),
    Command(
        "ls",
        "images.images:images",
        ImageLsOptions,
        Argument("repository", "[REPOSITORY[:TAG]]", required=False, completes="images"),
        help="List images.",
        about="Filters: dangling=true|false, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=TIME, reference=PATTERN.",
        examples=(
            "moby images --filter dangling=true",
            "moby images --filter reference='team/*' --filter since=team/web:1",
            "moby images --tree",
        ),
        aliases=("list",),
        root="images",
    ),
    Command(
        "prune",
        "prune:image",
        ImagePruneOptions,
        help="Remove unused images.",
        examples=(
            "moby image prune --dry-run",
            "moby image prune --all --force --filter until=240h",
        ),
        destroys=True,
    ),
    Command(
        "pull",
        "images.pull:pull",
        ImagePullOptions,
        Argument("name", "NAME[:TAG|@DIGEST]", completes="images"),
        help="Download an image from a registry.",
        examples=(
            "moby pull alpine",
            "moby pull --platform linux/arm64 reg.example:5000/team/web:1",
        ),
        root="pull",
    ),
    Command(
        "push",
        "images.push:push",
        ImagePushOptions,
        Argument("name", "NAME[:TAG]", completes="images"),
        help="Upload an image to a registry.",
        examples=(
            "moby tag web reg.example:5000/team/web",
            "moby push reg.example:5000/team/web",
        ),
        root="push",
    ),
    Command(
        "rm",
        "images.images:rmi",
        ImageRmOptions,
        Argument("images", "IMAGE...", many=True, completes="images"),
        help="Remove one or more images.",
        examples=(
            "moby rmi web:1",
            "moby rmi -f 0123456789ab",
        ),
        aliases=("remove",),
        root="rmi",
        destroys=True,
    ),
    Command(
        "save",
        "images.archives:save",
        ImageSaveOptions,
        Argument("images", "IMAGE [IMAGE...]", many=True, completes="images"),
        help="Save one or more images to a tar archive (streamed to STDOUT by default).",
        examples=(
            "moby save -o busybox.tar busybox",
            "moby save app:1 app:2 | gzip > app.tar.gz",
            "moby save --platform linux/amd64 --platform linux/arm64 -o app.tar app",
        ),
        root="save",
    ),
    Command(
        "tag",
        "images.images:tag",
        Options,
        Argument("source", "SOURCE_IMAGE[:TAG]", completes="images"),
        Argument("target", "TARGET_IMAGE[:TAG]", completes="images"),
        help="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE.",
        examples=("moby tag web reg.example:5000/team/web:1",),
        root="tag",
    ),
    Command(
        "verify",
        "images.provenance:verify",
        ImageVerifyOptions,
        Argument("image", "IMAGE", completes="images"),
        help="Check that an image is signed (cosign, Sigstore) with a key.",
        about=(
            "Where the image is here, what is here is checked; otherwise what its registry has. Ends with 1 where no "
            "signature counts."
        ),
        examples=(
            "moby image verify --key cosign.pub reg.example/team/web:1",
            "moby image verify --key cosign.pub -a env=prod reg.example/team/web:1",
        ),
    ),
)
