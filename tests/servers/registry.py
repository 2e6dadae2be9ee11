"""A real registry (Debian's docker-registry) on loopback for the test session, and a small pusher.

Use the fixture ``registry`` from ``tests/images/conftest.py``, or ``with running(folder) as registry`` elsewhere.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images_data import ImageData, sha256

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
#: ``user`` with the password ``secret``.
HTPASSWD = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
_CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "{address}", secret: test{tls}}}
{auth}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Registry:
    """``address`` is ``127.0.0.1:port``: the domain of references to it."""

    address: str
    data: Path
    authorization: str = ""

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        own = {"Authorization": self.authorization} if self.authorization else {}
        connection.request(method, path, body, {**own, **(headers or {})})
        response = connection.getresponse()
        response.content = response.read()  # type: ignore[attr-defined]
        connection.close()
        return response

    def push_blob(self, name: str, data: bytes) -> str:
        location = self.request("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        path = location.partition(self.address)[2] or location
        response = self.request("PUT", f"{path}&digest={sha256(data)}", data, {"Content-Type": "application/octet-stream"})
        assert response.status == 201, response.status
        return sha256(data)

    def push_manifest(self, name: str, reference: str, manifest: dict[str, Any], media_type: str = MANIFEST) -> str:
        body = json.dumps(manifest).encode()
        response = self.request("PUT", f"/v2/{name}/manifests/{reference}", body, {"Content-Type": media_type})
        assert response.status == 201, response.content  # type: ignore[attr-defined]
        return sha256(body)

    def push(
        self,
        name: str,
        tag: str,
        image: ImageData,
        *,
        compress: Callable[[bytes], bytes] = lambda data: gzip.compress(data, 1, mtime=0),
        layer_type: str = LAYER_GZIP,
    ) -> str:
        """Pushes an image; returns the digest of its manifest."""
        layers = []
        for layer in image.layers:
            data = compress(layer)
            layers.append({"mediaType": layer_type, "digest": self.push_blob(name, data), "size": len(data)})
        config = {"mediaType": CONFIG, "digest": self.push_blob(name, image.config), "size": len(image.config)}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        return self.push_manifest(name, tag, manifest)

    def push_index(self, name: str, tag: str, images: dict[str, ImageData]) -> str:
        """Pushes images under one tag, by platform text (``linux/amd64``); returns the digest of the index."""
        manifests = []
        for platform, image in images.items():
            parts = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
            digest = self.push(name, platform.replace("/", "-"), image)
            size = len(self.request("GET", f"/v2/{name}/manifests/{digest}", headers={"Accept": MANIFEST}).content)  # type: ignore[attr-defined]
            manifests.append({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": parts})
        return self.push_manifest(name, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX)

    def blob_file(self, digest: str) -> Path:
        """Where the registry keeps a blob, for tests that damage it."""
        name = digest.removeprefix("sha256:")
        return self.data / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


@contextmanager
def running(
    folder: Path, *, htpasswd: str = "", certificate: tuple[Path, Path] | None = None, auth: str = ""
) -> Iterator[Registry]:
    """Runs a registry with its data in ``folder``; with ``htpasswd`` (lines ``user:bcrypt``) it asks for Basic authorization, with a
    ``certificate`` and its key it speaks TLS. ``auth`` is that section of its configuration."""
    address = f"127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd)
        auth = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}"
    tls = f", tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}" if certificate else ""
    configuration = folder / "config.yml"
    configuration.write_text(_CONFIGURATION.format(folder=folder, address=address, auth=auth, tls=tls))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(configuration)], stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb")
    )
    try:
        _wait_for(address, process, folder / "log")
        yield Registry(address, folder / "data")
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the test registry did not start: {log.read_text()}")
