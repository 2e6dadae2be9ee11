"""Signatures and attestations in a real registry, and the policy that requires the former."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from images import signing
from images.image_store import Store, load
from images.signing import Key
from images_data import ImageData, Tar, docker_archive, sha256
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema.provenance import VerifyOptions
from servers.registry import INDEX, MANIFEST, Registry

Cli = Callable[..., subprocess.CompletedProcess[str]]
KEY = Key()


def image(text: str) -> ImageData:
    return ImageData([Tar().add(text, data=text.encode()).bytes()])


@pytest.fixture
def pushed(registry: Registry, request: pytest.FixtureRequest) -> tuple[str, str]:
    """The repository of an image of the test's own, and its digest; the tag is ``1``."""
    name = "signed/" + sha256(request.node.nodeid.encode())[7:27]
    return name, registry.push(name, "1", image(name))


async def pull(store: Store, reference: str) -> None:
    async for _ in store.images.pull(reference):
        pass


def by(*keys: Key, **more: Any) -> VerifyOptions:
    return VerifyOptions(keys=[key.public for key in keys], **more)


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
async def test_a_signature_of_each_kind_of_key(store: Store, registry: Registry, pushed: tuple[str, str], kind: str) -> None:
    (name, digest), key = pushed, Key(kind)
    reference = f"{registry.address}/{name}:1"
    with pytest.raises(Forbidden, match="it has no signature"):
        await store.images.verify(reference, by(key))
    signing.sign(registry, name, digest, key, env="prod")
    found = await store.images.verify(reference, by(Key(), key, annotations={"env": "prod"}))
    (signature,) = found.signatures
    assert (found.digest, signature.identity) == (digest, f"{registry.address}/{name}")
    assert signature.annotations == {"env": "prod"}
    with pytest.raises(Forbidden, match="none of the keys given"):
        await store.images.verify(reference, by(Key(kind)))
    with pytest.raises(Forbidden, match="lacks the annotation env=test"):
        await store.images.verify(reference, by(key, annotations={"env": "test"}))


async def test_what_is_here_is_verified_not_what_the_tag_is_now(
    store: Store, registry: Registry, pushed: tuple[str, str]
) -> None:
    name, digest = pushed
    reference = f"{registry.address}/{name}:1"
    await pull(store, reference)
    other = registry.push(name, "1", image("other" + name))
    signing.sign(registry, name, other, KEY)
    with pytest.raises(Forbidden, match=digest):
        await store.images.verify(reference, by(KEY))
    signing.sign(registry, name, digest, KEY)
    assert (await store.images.verify(reference, by(KEY))).digest == digest
    await pull(store, f"{registry.address}/{name}@{registry.push_index(name, 'index', {'linux/amd64': image(name)})}")
    assert (await store.images.verify(reference, by(KEY))).digest == digest
    assert (await store.images.verify(image(name).id[7:19], by(KEY))).digest == digest
    await load(store, docker_archive((image("mine"), ["mine:1"])))
    with pytest.raises(NotFound, match="push it first"):
        await store.images.verify("mine:1", by(KEY))


async def test_signatures_that_do_not_count(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    own = f"{registry.address}/{name}"
    good = signing.payload(digest, own)
    twice = good.replace(b'"critical"', b'"critical": {}, "critical"', 1)
    hostile = {
        "another image": signing.payload(sha256(b"other"), own),
        "is for 127.0.0.1": signing.payload(digest, f"{registry.address}/another"),
        "not valid JSON": good[:-9],
        "a name comes twice": twice,
        "not understood": good.replace(b'"type"', b'"more": 1, "type"'),
        "not a 'cosign": good.replace(b"cosign container", b"atomic container"),
        "lacks what": b'{"critical": {}}',
        "not a JSON object": b"[]",
        "is not valid JSON": b"[" * 20_000,
        "invalid reference": signing.payload(digest, "Not A Name"),
    }
    for why, body in hostile.items():
        layers = [signing.signed_layer(registry, name, body, KEY.sign(body))]
        signing.push_layers(registry, name, signing.tag_of(digest), layers)
        with pytest.raises(Forbidden, match=why):
            await store.images.verify(f"{own}:1", by(KEY))
    huge = b" " * (1 << 17) + good
    damaged = [
        signing.signed_layer(registry, name, huge, KEY.sign(huge)),
        {**signing.signed_layer(registry, name, good, KEY.sign(good)), "size": 1 << 60},
        signing.signed_layer(registry, name, good, b""),
        signing.signed_layer(registry, name, good, KEY.sign(good)[:-1]),
        {**signing.signed_layer(registry, name, good, b"x"), "annotations": {"dev.cosignproject.cosign/signature": "%%"}},
        {**signing.signed_layer(registry, name, good, b"x"), "annotations": {}},
    ]
    for bad in damaged:
        try:
            signing.push_layers(registry, name, signing.tag_of(digest), [bad])
        except AssertionError:
            continue  # the registry itself refuses it
        with pytest.raises(MobyError, match="is not signed"):
            await store.images.verify(f"{own}:1", by(KEY))
    many = [signing.signed_layer(registry, name, good, b"%d" % number) for number in range(98)]
    signing.push_layers(
        registry, name, signing.tag_of(digest), [*damaged[:1], *many, signing.signed_layer(registry, name, good, KEY.sign(good))]
    )
    assert len((await store.images.verify(f"{own}:1", by(KEY))).signatures) == 1
    signing.push_layers(
        registry, name, signing.tag_of(digest), [*many, *many, signing.signed_layer(registry, name, good, KEY.sign(good))]
    )
    with pytest.raises(Forbidden, match="none of the keys"):
        await store.images.verify(f"{own}:1", by(KEY))


async def test_another_identity_can_be_expected(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    signing.sign(registry, name, digest, KEY, identity="index.docker.io/library/origin")
    reference = f"{registry.address}/{name}:1"
    with pytest.raises(Forbidden, match="--identity"):
        await store.images.verify(reference, by(KEY))
    assert (await store.images.verify(reference, by(KEY, identity="origin"))).signatures


async def test_sigstore_bundles_by_reference(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    reference = f"{registry.address}/{name}:1"
    said = signing.statement(digest, "https://sigstore.dev/cosign/sign/v1")
    signing.refer(registry, name, digest, signing.bundle(signing.envelope(said, KEY)), signing.BUNDLE)
    (signature,) = (await store.images.verify(reference, by(KEY))).signatures
    assert (signature.format, signature.identity) == ("sigstore bundle", "")
    with pytest.raises(Forbidden):
        await store.images.verify(reference, by(KEY, identity=name))
    for why, wrong in {
        "another image": signing.statement(sha256(b"x"), "https://sigstore.dev/cosign/sign/v1"),
        "no signature of the image": signing.statement(digest, "https://spdx.dev/Document"),
    }.items():
        signing.refer(registry, name, digest, signing.bundle(signing.envelope(wrong, KEY)), signing.BUNDLE)
        with pytest.raises(Forbidden, match=why):
            await store.images.verify(reference, by(KEY))
    simple = signing.payload(digest, f"{registry.address}/{name}")
    layer = signing.signed_layer(registry, name, simple, KEY.sign(simple))
    signing.refer(registry, name, digest, simple, signing.SIMPLE, layer["annotations"])
    assert (await store.images.verify(reference, by(KEY))).signatures[0].format == "simple signing"


async def test_keys_that_are_none(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    reference = f"{registry.address}/{pushed[0]}:1"
    for pem, why in (("", "no public key"), ("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n", "give cosign.pub")):
        with pytest.raises(InvalidArgument, match=why):
            await store.images.verify(reference, VerifyOptions(keys=[pem]))
    with pytest.raises(InvalidArgument, match="give the public key"):
        await store.images.verify(reference, VerifyOptions())


# The policy


def policy(store: Store, document: object) -> None:
    path = store.paths.data_root.parent / "policy.json"
    path.write_text(json.dumps(document))
    (path.parent / "cosign.pub").write_text(KEY.public)
    store.images.options = lambda: EngineOptions(signature_policy=path)


def signed_by(identity: object = None, **how: object) -> list[dict[str, object]]:
    return [
        {
            "type": "sigstoreSigned",
            **(how or {"keyPath": "cosign.pub"}),
            "signedIdentity": identity or {"type": "matchRepository"},
        }
    ]


async def test_a_policy_lets_in_what_is_signed_and_nothing_else(
    store: Store, registry: Registry, pushed: tuple[str, str]
) -> None:
    name, digest = pushed
    reference = f"{registry.address}/{name}:1"
    policy(store, {"default": [{"type": "reject"}], "transports": {"docker": {registry.address: signed_by()}}})
    with pytest.raises(Forbidden, match="a signature is required: it has no signature"):
        await pull(store, reference)
    assert store.layers() == set() and not [*(store.paths.blobs / "sha256").iterdir()] and not await store.images.list()
    signing.sign(registry, name, digest, Key())
    with pytest.raises(Forbidden, match="none of the keys"):
        await pull(store, reference)
    signing.sign(registry, name, digest, KEY, identity=f"{registry.address}/another")
    with pytest.raises(Forbidden, match="does not take"):
        await pull(store, reference)
    assert store.layers() == set()
    signing.sign(registry, name, digest, KEY)
    await pull(store, reference)
    await pull(store, f"{registry.address}/{name}@{digest}")
    assert len(await store.images.list()) == 1
    with pytest.raises(Forbidden, match="an archive is refused"):
        await load(store, docker_archive((image("x"), ["x:1"])))
    said = signing.statement(digest, "https://sigstore.dev/cosign/sign/v1")
    other = registry.push(name, "2", image("two" + name))
    signing.refer(registry, name, other, signing.bundle(signing.envelope(said, KEY)), signing.BUNDLE)
    with pytest.raises(Forbidden):
        await pull(store, f"{registry.address}/{name}:2")


async def test_the_index_or_the_manifest_may_be_signed(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    name, _ = pushed
    policy(store, {"default": signed_by()})
    index = registry.push_index(name, "multi", {"linux/amd64": image("m" + name), "linux/arm64": image("a" + name)})
    reference = f"{registry.address}/{name}:multi"
    with pytest.raises(Forbidden):
        await pull(store, reference)
    signing.sign(registry, name, index, KEY)
    await pull(store, reference)
    await store.images.remove(reference, force=True)
    body = registry.request("GET", f"/v2/{name}/manifests/{index}", headers={"Accept": INDEX}).content  # type: ignore[attr-defined]
    inner = next(item["digest"] for item in json.loads(body)["manifests"] if item["platform"]["architecture"] == "amd64")
    registry.request("DELETE", f"/v2/{name}/manifests/" + _digest_of_tag(registry, name, signing.tag_of(index)))
    with pytest.raises(Forbidden):
        await pull(store, reference)
    signing.sign(registry, name, inner, KEY)
    await pull(store, reference)


def _digest_of_tag(registry: Registry, name: str, tag: str) -> str:
    return registry.request("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST}).headers["Docker-Content-Digest"]


@pytest.mark.parametrize(
    ("scope", "applies"),
    [
        ("{host}/{name}:1", True),
        ("{host}/{name}", True),
        ("{host}/signed", True),
        ("{host}", True),
        ("", True),
        ("{host}/{name}:2", False),
        ("{host}/sign", False),
        ("docker.io", False),
    ],
)
async def test_scopes(store: Store, registry: Registry, pushed: tuple[str, str], scope: str, applies: bool) -> None:
    name = pushed[0]
    scopes = {scope.format(host=registry.address, name=name): [{"type": "reject"}]}
    policy(store, {"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": scopes}})
    if applies:
        with pytest.raises(Forbidden, match="rejected"):
            await pull(store, f"{registry.address}/{name}:1")
    else:
        await pull(store, f"{registry.address}/{name}:1")


@pytest.mark.parametrize(
    ("identity", "signed", "accepted"),
    [
        ({"type": "matchRepository"}, "{own}", True),
        ({"type": "matchRepository"}, "{own}:7", True),
        ({"type": "matchExact"}, "{own}:1", True),
        ({"type": "matchExact"}, "{own}", False),
        ({"type": "matchRepoDigestOrExact"}, "{own}:1", True),
        ({"type": "matchRepoDigestOrExact"}, "{own}:2", False),
        ({"type": "exactReference", "dockerReference": "origin:3"}, "origin:3", True),
        ({"type": "exactReference", "dockerReference": "origin:3"}, "origin:4", False),
        ({"type": "exactRepository", "dockerRepository": "origin"}, "origin:4", True),
        ({"type": "exactRepository", "dockerRepository": "origin"}, "{own}", False),
        ({"type": "remapIdentity", "prefix": "{host}/signed", "signedPrefix": "reg.example/a"}, "reg.example/a/{last}:1", True),
        ({"type": "remapIdentity", "prefix": "{host}/sig", "signedPrefix": "reg.example/a"}, "reg.example/a/{last}:1", False),
    ],
)
async def test_signed_identities(
    store: Store, registry: Registry, pushed: tuple[str, str], identity: dict[str, str], signed: str, accepted: bool
) -> None:
    name, digest = pushed
    words = {"own": f"{registry.address}/{name}", "host": registry.address, "last": name.rpartition("/")[2]}
    policy(store, {"default": signed_by({key: value.format(**words) for key, value in identity.items()})})
    signing.sign(registry, name, digest, KEY, identity=signed.format(**words))
    if accepted:
        await pull(store, f"{registry.address}/{name}:1")
    else:
        with pytest.raises(Forbidden):
            await pull(store, f"{registry.address}/{name}:1")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("[]", "not a JSON object"),
        ("{", "not valid JSON"),
        ("{}", "no default"),
        ('{"default": []}', "one requirement or more"),
        ('{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}', "a name comes twice"),
        ('{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "x"}]}', "signedBy"),
        ('{"default": [{"type": "sigstoreSigned"}]}', "exactly one of"),
        ('{"default": [{"type": "sigstoreSigned", "keyPath": "/nowhere"}]}', "cannot be read"),
        ('{"default": [{"type": "sigstoreSigned", "keyData": "AAAA"}]}', "no public key"),
        ('{"default": [{"type": "sigstoreSigned", "keyPath": "x", "rekorPublicKeyPath": "y"}]}', "rekorPublicKeyPath"),
        ('{"default": [{"type": "sigstoreSigned", "keyPath": "x", "signedIdentity": {"type": "any"}}]}', "signedIdentity"),
        ('{"default": [{"type": "reject"}], "transport": {}}', "unknown part"),
    ],
)
async def test_a_policy_that_cannot_be_understood_lets_nothing_in(
    store: Store, registry: Registry, pushed: tuple[str, str], document: str, why: str
) -> None:
    path = store.paths.data_root.parent / "policy.json"
    store.images.options = lambda: EngineOptions(signature_policy=path)
    with pytest.raises(InvalidArgument, match="cannot be read"):
        await pull(store, f"{registry.address}/{pushed[0]}:1")
    path.write_text(document)
    with pytest.raises(InvalidArgument, match=why):
        await pull(store, f"{registry.address}/{pushed[0]}:1")


async def test_several_requirements_must_all_be_met(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    second = Key()
    import base64

    data = base64.b64encode(second.public.encode()).decode()
    policy(store, {"default": [*signed_by(), *signed_by(keyData=data)]})
    body = signing.payload(digest, f"{registry.address}/{name}")
    layers = [signing.signed_layer(registry, name, body, KEY.sign(body))]
    signing.push_layers(registry, name, signing.tag_of(digest), layers)
    with pytest.raises(Forbidden):
        await pull(store, f"{registry.address}/{name}:1")
    layers.append(signing.signed_layer(registry, name, body, second.sign(body)))
    signing.push_layers(registry, name, signing.tag_of(digest), layers)
    await pull(store, f"{registry.address}/{name}:1")


# Attestations


async def test_attestations_from_all_places(store: Store, registry: Registry, pushed: tuple[str, str]) -> None:
    name, _ = pushed
    inner = registry.push(name, "inner", image("i" + name))
    size = len(registry.request("GET", f"/v2/{name}/manifests/{inner}", headers={"Accept": MANIFEST}).content)  # type: ignore[attr-defined]
    sbom = json.dumps(signing.statement(inner, "https://spdx.dev/Document", {"name": "bill"})).encode()
    attested = signing.layer(registry, name, sbom, signing.IN_TOTO, {"in-toto.io/predicate-type": "https://spdx.dev/Document"})
    manifest, length = signing.push_layers(registry, name, "attested", [attested])
    references = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": inner}
    machine = {"os": "linux", "architecture": image("").architecture}
    entries = [
        {"mediaType": MANIFEST, "digest": inner, "size": size, "platform": machine},
        {
            "mediaType": MANIFEST,
            "digest": manifest,
            "size": length,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": references,
        },
    ]
    index = registry.push_manifest(name, "1", {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    provenance = signing.envelope(signing.statement(index, "https://slsa.dev/provenance/v1", {"builder": "b"}), KEY)
    layers = [signing.layer(registry, name, json.dumps(provenance).encode(), signing.DSSE, {})]
    signing.push_layers(registry, name, signing.tag_of(index, "att"), layers)
    signing.push_layers(
        registry, name, signing.tag_of(inner, "sbom"), [signing.layer(registry, name, b"<text>", "text/spdx", {})]
    )
    signing.refer(registry, name, inner, json.dumps({"bomFormat": "CycloneDX"}).encode(), "application/vnd.cyclonedx+json")
    signing.sign(registry, name, index, KEY)
    reference = f"{registry.address}/{name}:1"
    found = await store.images.attestations(reference, statements=True)
    assert [(one.source, one.predicate_type, one.signed) for one in found] == [
        ("index", "https://spdx.dev/Document", False),
        ("cosign", "https://slsa.dev/provenance/v1", True),
        ("cosign", "text/spdx", False),
        ("referrer", "application/vnd.cyclonedx+json", False),
    ]
    assert found[0].statement["predicate"] == {"name": "bill"} and found[0].subject == inner
    assert found[1].statement["predicate"] == {"builder": "b"} and found[2].statement == "<text>"
    (only,) = await store.images.attestations(reference, predicate_type="slsa")
    assert only.statement is None and only.source == "cosign"
    await pull(store, reference)
    assert len(await store.images.attestations(reference)) == 4


def test_on_the_command_line(cli: Cli, registry: Registry, pushed: tuple[str, str], tmp_path: Path) -> None:
    name, digest = pushed
    reference = f"{registry.address}/{name}:1"
    (tmp_path / "cosign.pub").write_text(KEY.public)
    signing.sign(registry, name, digest, KEY, env="prod")
    key = str(tmp_path / "cosign.pub")
    assert f"Digest:   {digest}" in cli("image", "verify", "--key", key, "-a", "env=prod", reference).stdout
    assert json.loads(cli("image", "verify", "--key", key, "--format", "json", reference).stdout)["Digest"] == digest
    refused = cli("image", "verify", "--key", key, "-a", "env=no", reference, check=False)
    assert refused.returncode == 1 and "lacks the annotation" in refused.stderr and len(refused.stderr.splitlines()) == 1
    assert "PREDICATE TYPE" in cli("image", "attestations", reference).stdout
    (tmp_path / "policy.json").write_text(json.dumps({"default": [{"type": "reject"}]}))
    pulled = cli("--signature-policy", str(tmp_path / "policy.json"), "pull", reference, check=False)
    assert pulled.returncode == 1 and "refused by signature policy" in pulled.stderr
    assert cli("images", "-q").stdout == ""
