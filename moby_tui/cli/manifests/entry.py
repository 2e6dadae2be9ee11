"""One manifest of a local list: the object that is in docker's file, and that ``inspect -v`` prints (docker's ``ImageManifest``)."""

# no annotations from __future__: msgspec would have each one compiled and evaluated
import msgspec
from msgspec import UNSET, Raw, UnsetType

from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.image import RegistryManifest

#: How Go's encoder writes characters that HTML knows, and the two ends of a line that JavaScript knows.
_ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


class Entry(msgspec.Struct, rename="pascal", kw_only=True, omit_defaults=True):
    """``ref``: the canonical name under which it was read. ``descriptor`` has the platform, as its configuration or ``annotate`` says.

    ``raw``: the bytes that the registry has; docker before version 28 did not keep them. The same document as JSON, with other white
    space and escapes, is in the one of the last two fields that its media type asks for."""

    ref: str
    descriptor: oci.Descriptor
    raw: bytes = b""
    schema_v2_manifest: Raw | UnsetType = msgspec.field(default=UNSET, name="SchemaV2Manifest")
    oci_manifest: Raw | UnsetType = msgspec.field(default=UNSET, name="OCIManifest")

    @property
    def reference(self) -> Reference:
        """Raises ``InvalidArgument``."""
        return parse(self.ref)

    @property
    def document(self) -> bytes:
        """The manifest, as JSON."""
        kept = (self.oci_manifest, self.schema_v2_manifest)
        return next((bytes(one) for one in kept if isinstance(one, Raw)), b"null")


def entry_of(reference: Reference, found: RegistryManifest) -> Entry:
    """The entry of a manifest, not an index, that a registry has."""
    entry = Entry(ref=reference.canonical, descriptor=found.descriptor, raw=found.content)
    if found.descriptor.media_type == oci.DOCKER_MANIFEST:
        entry.schema_v2_manifest = Raw(found.content)
    else:
        entry.oci_manifest = Raw(found.content)
    return entry


def escaped(text: str) -> str:
    """JSON with Go's escapes. Outside of strings JSON has none of these characters."""
    return text.translate(_ESCAPES)
