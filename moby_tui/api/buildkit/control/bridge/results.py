"""What a build on the bridge makes: images, by the names that the bridge has for them, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moby_tui.api.buildkit.control import sources
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.base import encode
from moby_tui.schema.build import Made
from moby_tui.schema.operations import Attested, Subject

CONFIG, _PLATFORMS = "containerimage.config", "refs.platforms"
#: More images than any build has.
_MOST = 1000


@dataclass(frozen=True)
class Result:
    """``refs`` are names of images, by platform, or the only one under an empty name; an empty ref is an empty image. ``definitions`` are
    graphs that stand for them, by their names."""

    refs: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    #: by platform
    attestations: Mapping[str, Sequence[pb.Attestation]] = field(default_factory=dict)

    @property
    def is_map(self) -> bool:
        return "" not in self.refs and bool(self.refs)

    def images(self) -> list[tuple[str, str, bytes]]:
        """Platform (or empty), ref and configuration (or empty) of each image. Raises ``InvalidArgument``."""
        if not self.is_map:
            return [("", ref, self.metadata.get(CONFIG, b"")) for ref in self.refs.values()]
        images = []
        for ident, platform in self._platforms():
            if ident not in self.refs:
                raise InvalidArgument(f"the result has no image for {ident[:80]!r}, which its {_PLATFORMS} names")
            images.append((platform, self.refs[ident], self.metadata.get(f"{CONFIG}/{ident}", b"")))
        return images

    def _platforms(self) -> list[tuple[str, str]]:
        """Names of images, and the platforms that they mean."""
        text = self.metadata.get(_PLATFORMS)
        if text is None:
            raise InvalidArgument(f"a result of several images needs {_PLATFORMS} in its metadata")
        try:
            listed = [(str(each["ID"]), each["Platform"]) for each in json.loads(text)["Platforms"]]
            return [
                (ident, "/".join(filter(None, map(platform.get, ("os", "architecture", "variant")))))
                for ident, platform in listed
            ]
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise InvalidArgument(f"invalid {_PLATFORMS} of a result: it lists platforms in JSON") from None


def of_images(ident: str, images: Sequence[Made], *, has_configs: bool = True) -> Result:
    """The result of the build with this id. ``has_configs``: the images' configurations are told too."""
    names = ["/".join(filter(None, (made.config.os, made.config.architecture, made.config.variant))) for made in images]
    platforms = [{"ID": name, "Platform": made.manifest.platform} for name, made in zip(names, images, strict=True)]
    listed = {_PLATFORMS: encode({"Platforms": platforms})}
    if len(images) == 1:
        metadata = {CONFIG: encode(images[0].config), **listed} if has_configs else {}
        return Result({"": ident}, metadata, {ident: images[0].manifest.digest})
    refs, configs, definitions = {}, {}, {}
    for number, (name, made) in enumerate(zip(names, images, strict=True)):
        refs[name] = f"{ident}/{number}"
        definitions[refs[name]] = made.manifest.digest
        configs[f"{CONFIG}/{name}"] = encode(made.config)
    return Result(refs, {**configs, **listed}, definitions)


def attested(attestation: pb.Attestation, manifest: str) -> Attested:
    """``manifest`` is that of the image which has its files. Raises ``NotImplementedYet``."""
    subjects = [
        Subject(each.name, list(each.digest), is_image=each.kind == pb.InTotoSubjectKind.Self)
        for each in attestation.inTotoSubjects
    ]
    if attestation.kind not in (pb.AttestationKind.InToto, pb.AttestationKind.Bundle):
        raise NotImplementedYet(f"an attestation of the kind {attestation.kind}")
    return Attested(
        manifest=manifest,
        path=attestation.path,
        predicate_type=attestation.inTotoPredicateType,
        is_bundle=attestation.kind == pb.AttestationKind.Bundle,
        subjects=subjects,
    )


def to_message(result: Result, request: pb.SolveRequest) -> pb.Result:
    """In the form that the caller of ``Solve`` understands."""
    message = pb.Result(metadata=result.metadata)
    for name, listed in result.attestations.items():
        message.attestations[name].attestation.extend(listed)
    if not request.allowResultArrayRef and result.is_map:
        message.refsDeprecated.refs.update(result.refs)
    elif not request.allowResultArrayRef:
        message.refDeprecated = next(iter(result.refs.values()), "")
    elif result.is_map:
        for name, ref in result.refs.items():
            message.refs.refs[name].CopyFrom(_ref(result, ref))
    else:
        message.ref.CopyFrom(_ref(result, next(iter(result.refs.values()), "")))
    return message


def _ref(result: Result, ref: str) -> pb.Ref:
    return pb.Ref(id=ref, **{"def": sources.result(result.definitions[ref])} if ref in result.definitions else {})


def from_message(message: pb.Result) -> Result:
    """What a director returns. Raises ``InvalidArgument``."""
    match message.WhichOneof("result"):
        case "ref":
            refs = {"": message.ref.id}
        case "refDeprecated":
            refs = {"": message.refDeprecated}
        case "refs":
            refs = {name: ref.id for name, ref in message.refs.refs.items()}
        case "refsDeprecated":
            refs = dict(message.refsDeprecated.refs)
        case _:
            refs = {}
    if len(refs) > _MOST:
        raise InvalidArgument(f"a result has more than {_MOST} images")
    return Result(refs, dict(message.metadata), {}, {name: list(each.attestation) for name, each in message.attestations.items()})
