"""``image verify`` and ``image attestations``: who made an image, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.schema.provenance import Attestation

app = typer.Typer()
_COLUMNS = ("PREDICATE TYPE", "SOURCE", "PLATFORM", "SIGNED", "SIZE", "DIGEST")


@app.command("verify")
def verify(
    image: Annotated[str, typer.Argument(metavar="IMAGE", show_default=False)],
    key: Annotated[list[str], typer.Option("--key", help="Public key in PEM, one of which must have signed", metavar="file")],
    annotations: Annotated[
        list[str] | None,
        typer.Option("-a", "--annotations", help="Annotation that the signature must have", metavar="key=value"),
    ] = None,
    identity: Annotated[
        str,
        typer.Option(
            "--identity",
            help="Repository that the signature must name, where it is not the image's own",
            metavar="string",
            show_default=False,
        ),
    ] = "",
    format: Annotated[str, typer.Option("--format", help="'json' or a Go template", metavar="string", show_default=False)] = "",
) -> None:
    """Check that an image is signed (cosign, Sigstore) with a key.

    Where the image is here, what is here is checked; otherwise what its registry has. Ends with 1 where no signature counts.

    Examples:

      moby image verify --key cosign.pub reg.example/team/web:1

      moby image verify --key cosign.pub -a env=prod reg.example/team/web:1
    """
    from moby_tui.schema.provenance import VerifyOptions

    options = VerifyOptions(keys=[_read(path) for path in key], identity=identity, annotations=_pairs(annotations or []))
    found = session.call(lambda client: client.images.verify(image, options, auth=session.login_for(image)))
    if format:
        from moby_tui.cli.output.objects import show_object
        from moby_tui.schema.base import to_builtins

        show_object(to_builtins(found), format)
        return
    from moby_tui.cli.output.text import printable

    print(f"Verified: {found.reference}\nDigest:   {found.digest}")
    for signature in found.signatures:
        identity = printable(signature.identity) or "no repository"
        told = "".join(f" {printable(name)}={printable(value)}" for name, value in signature.annotations.items())
        print(f"Signed:   by key {signature.key} for {identity} ({signature.format}){told}")


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(1 << 20).decode("ascii", "replace")


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not name or not equals:
            raise InvalidArgument(f"invalid annotation {name + value!r}: write it as key=value")
    return {name: value for name, _, value in pairs}


@app.command("attestations")
def attestations(
    image: Annotated[str, typer.Argument(metavar="IMAGE", show_default=False)],
    type: Annotated[
        str,
        typer.Option(
            "--type", help="Only those whose predicate type has this in it: spdx, slsa", metavar="string", show_default=False
        ),
    ] = "",
    show: Annotated[bool, typer.Option("--show", help="Print what they say, as JSON")] = False,
    format: Annotated[
        str, typer.Option("--format", help="'json': everything of each, one a line", metavar="string", show_default=False)
    ] = "",
) -> None:
    """List bills of materials, provenance and other attestations that are attached to an image in its registry.

    They are shown as they are. Nothing of it is verified.

    Examples:

      moby image attestations reg.example/team/web:1

      moby image attestations --type spdx --show reg.example/team/web:1 > sbom.json
    """
    if format not in ("", "json"):
        raise InvalidArgument("--format takes json here, or nothing")
    whole = show or bool(format)
    auth = session.login_for(image)
    found = session.call(lambda client: client.images.attestations(image, statements=whole, predicate_type=type, auth=auth))
    if format:
        from moby_tui.schema.base import encode

        for attestation in found:
            print(encode(attestation).decode())
    elif show:
        import json

        for attestation in found:
            statement = attestation.statement
            print(statement if isinstance(statement, str) else json.dumps(statement, indent=2))
    else:
        _table(found)


def _table(found: list[Attestation]) -> None:
    from moby_tui.cli.output.table import align
    from moby_tui.cli.output.text import printable, short_id
    from moby_tui.cli.values.units import human_size

    rows = [
        (
            printable(one.predicate_type) or "<unknown>",
            one.source,
            printable(one.platform),
            "yes" if one.signed else "no",
            human_size(one.size, 3),
            short_id(one.digest),
        )
        for one in found
    ]
    print(*align([_COLUMNS, *rows]), sep="\n")
