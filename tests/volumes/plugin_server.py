"""A volume plug-in as a process of its own: ``python plugin_server.py SOCKET FOLDER``. It keeps each volume in a folder below FOLDER.

With three more arguments, certificate, key and authority, it listens on 127.0.0.1 instead, asks for a certificate of the authority, and
writes its port into the file SOCKET.

It writes each call into ``FOLDER/calls``, a line with the method and the request's JSON. ``FOLDER/lies`` may be a JSON object with what it
answers to a method instead: an object, a text that is sent as it is, ``null`` for no answer at all, or ``"die"``.
"""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        method = self.path.strip("/").removeprefix("VolumeDriver.")
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        assert self.headers["Accept"] == "application/vnd.docker.plugins.v1.2+json"
        with (FOLDER / "calls").open("a") as file:
            file.write(f"{method} {json.dumps(asked)}\n")
        lies = json.loads((FOLDER / "lies").read_text()) if (FOLDER / "lies").exists() else {}
        answer = lies[method] if method in lies else _answer(method, asked)
        if answer is None:
            threading.Event().wait()
        if answer == "die":
            os._exit(1)
        if isinstance(answer, str):
            self.wfile.write(answer.encode())
            return
        body = json.dumps(answer).encode()
        self.send_response(500 if str(answer.get("Err")).startswith("500 ") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def _answer(method: str, asked: dict[str, Any]) -> dict[str, Any]:
    if method == "Plugin.Activate":
        return {"Implements": ["VolumeDriver"]}
    if method == "Capabilities":
        return {"Capabilities": {"Scope": "global"}}
    if method == "List":
        return {"Volumes": [{"Name": folder.name, "Mountpoint": ""} for folder in (FOLDER / "volumes").iterdir()]}
    place = FOLDER / "volumes" / asked["Name"]
    if method == "Create":
        place.mkdir()
        return {}
    if not place.exists():
        return {"Err": f"volume {asked['Name']} is unknown"}
    if method == "Get":
        return {"Volume": {"Name": place.name, "Mountpoint": str(place), "Status": {"colour": "green"}}}
    if method == "Remove":
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
        return {}
    return {"Mountpoint": str(place)}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _serve_encrypted(place: str, certificate: str, key: str, authority: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Path(f"{place}.new").write_text(str(server.server_port))
        os.rename(f"{place}.new", place)
        server.serve_forever()


if __name__ == "__main__":
    (FOLDER / "volumes").mkdir(exist_ok=True)
    if sys.argv[3:]:
        _serve_encrypted(sys.argv[1], *sys.argv[3:])
    with Server(sys.argv[1] + ".new", Handler) as server:
        # whoever sees the socket can connect to it
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        server.serve_forever()
