"""``image verify`` and ``image attestations``: who made an image, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.cli.table.images import ImageAttestationsOptions, ImageVerifyOptions
    from moby_tui.schema.provenance import Attestation

_COLUMNS = ("PREDICATE TYPE", "SOURCE", "PLATFORM", "SIGNED", "SIZE", "DIGEST")


def verify(options: ImageVerifyOptions, image: str) -> None:
    """``moby image verify``."""
    from moby_tui.schema.provenance import VerifyOptions

    wanted = VerifyOptions(
        keys=[_read(path) for path in options.key], identity=options.identity, annotations=_pairs(options.annotations)
    )
    verification = session.call(lambda client: client.images.verify(image, wanted, auth=session.login_for(image)))
    if options.format:
        from moby_tui.cli.output.objects import show_object
        from moby_tui.schema.base import to_builtins

        show_object(to_builtins(verification), options.format)
        return
    from moby_tui.cli.output.text import printable

    print(f"Verified: {verification.reference}\nDigest:   {verification.digest}")
    for signature in verification.signatures:
        identity = printable(signature.identity) or "no repository"
        annotations = "".join(f" {printable(name)}={printable(value)}" for name, value in signature.annotations.items())
        print(f"Signed:   by key {signature.key} for {identity} ({signature.format}){annotations}")


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(1 << 20).decode("ascii", "replace")


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not name or not equals:
            raise InvalidArgument(f"invalid annotation {name + value!r}: write it as key=value")
    return {name: value for name, _, value in pairs}


def attestations(options: ImageAttestationsOptions, image: str) -> None:
    """``moby image attestations``."""
    if options.format not in ("", "json"):
        raise InvalidArgument("--format takes json here, or nothing")
    whole = options.show or bool(options.format)
    auth = session.login_for(image)
    records = session.call(
        lambda client: client.images.attestations(image, statements=whole, predicate_type=options.type, auth=auth)
    )
    if options.format:
        from moby_tui.schema.base import encode

        for attestation in records:
            print(encode(attestation).decode())
    elif options.show:
        import json

        for attestation in records:
            statement = attestation.statement
            print(statement if isinstance(statement, str) else json.dumps(statement, indent=2))
    else:
        _table(records)


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
