"""Which image a name means: references, ids and prefixes of ids, looked up in the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.reference import Reference, parse

_ID = r"(?:sha256:)?([0-9a-f]{64})"
_ID_PREFIX = r"(?:sha256:)?([0-9a-f]{1,64})"


class Names:
    """The names of the images of one store."""

    def __init__(self, rows: ImageRows) -> None:
        self._rows = rows

    def find(self, ref: str) -> ImageRecord:
        """Docker's order: full id, reference, unique prefix of an id."""
        if (full := re.fullmatch(_ID, ref)) and (record := self._rows.get("sha256:" + full[1])):
            return record
        if reference := self.reference_of(ref):
            record = self._rows.by_reference(reference.key)
            assert record
            return record
        if prefix := re.fullmatch(_ID_PREFIX, ref):
            ids = self._rows.by_prefix(prefix[1])
            if len(ids) > 1:
                raise InvalidArgument(f"multiple IDs found with provided prefix: {ref}")
            if ids and (record := self._rows.get(ids[0])):
                return record
        if not re.fullmatch(_ID_PREFIX, ref):
            parse(ref)  # InvalidArgument rather than NotFound for text that cannot be a name
        raise missing(ref)

    def reference_of(self, ref: str) -> Reference | None:
        """The canonical reference that ``ref`` stands for, if the store has it."""
        try:
            reference = parse(ref).tagged()
        except InvalidArgument:
            return None
        return reference if self._rows.by_reference(reference.key) else None

    def elsewhere(self, ref: str) -> Reference:
        """The name under which a registry has an image; for an id, the image's first name. Raises ``NotFound``."""
        if self.reference_of(ref) is None and re.fullmatch(_ID_PREFIX, ref):
            names = sorted(map(parse, self._rows.references_of(self.find(ref).id)), key=lambda name: bool(name.digest))
            if not names:
                raise NotFound(f"{ref} has no name: nothing is known of it in a registry")
            return names[0]
        return parse(ref).tagged()

    def digests_of(self, reference: Reference) -> list[str]:
        """The registry's digests of a local image, those of indexes first. Empty if the image is not here.

        Raises ``NotFound`` for an image that was made here: the registry may have another under this name.
        """
        record = self._rows.by_reference(reference.key)
        if reference.digest or record is None:
            return [reference.digest] if reference.digest else []
        names = map(parse, self._rows.references_of(record.id))
        digests = [name.digest for name in names if name.digest and name.repository == reference.repository]
        if digests:
            return sorted(digests, key=lambda digest: digest == record.manifest)
        raise NotFound(
            f"{reference.familiar} was not pulled or pushed: it has no digest in {reference.familiar_repository}; push it first"
        )

    def named(self, ref: str) -> Iterator[tuple[ImageRecord, Reference | None]]:
        """The images that a name stands for, each with its full name; with an id, without a name."""
        with suppress(InvalidArgument):
            parsed = parse(ref)
            if not parsed.tag and not parsed.digest:
                known = [(ident, parse(key)) for ident, keys in self._rows.references().items() for key in keys]
                tags = [(ident, name) for ident, name in known if name.repository == parsed.repository and name.tag]
                for ident, name in tags:
                    if record := self._rows.get(ident):
                        yield record, name
                if tags:
                    return
        reference = self.reference_of(ref)
        try:
            yield self.find(ref), reference if reference and reference.tag else None
        except NotFound as error:  # without the tag, as Docker tells what cannot be saved
            raise NotFound(f"No such image: {ref}") from error

    def pushed(self, asked: Reference, *, all_tags: bool) -> list[tuple[Reference, ImageRecord]]:
        """Raises ``NotFound``."""
        wanted = asked.tagged()
        if not all_tags and (named := self._rows.by_reference(wanted.key)):
            return [(wanted, named)]
        keys = [(ident, parse(key)) for ident, names in self._rows.references().items() for key in names]
        tags = [(name, self._rows.get(ident)) for ident, name in keys if name.tag and name.repository == asked.repository]
        pairs = [(name, record) for name, record in tags if record]
        if not pairs:
            raise NotFound(f"An image does not exist locally with the tag: {asked.familiar_repository}")
        if not all_tags:
            raise NotFound(f"tag does not exist: {wanted.familiar}")
        return pairs

    def lenders(self, target: Reference) -> dict[str, list[str]]:
        """For each blob the repositories of the same registry from or to which an image with this blob was pulled or pushed."""
        sources: dict[str, list[str]] = {}
        for ident, keys in self._rows.references().items():
            names = [parse(key) for key in keys]
            paths = {name.path for name in names if name.digest and name.domain == target.domain}
            record = self._rows.get(ident) if paths else None
            for digest in record.blobs if record else []:
                sources.setdefault(digest, []).extend(sorted(paths))
        return sources


def missing(name: str) -> NotFound:
    """The error for a missing image, in Docker's words, which scripts look for. It names the reference with its tag."""
    try:
        return NotFound(f"No such image: {parse(name).tagged().familiar}")
    except InvalidArgument:
        return NotFound(f"No such image: {name}")
