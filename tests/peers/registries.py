"""``python tests/peers/registries.py KIND FOLDER [CERTIFICATE KEY]``: a registry for the stage.

``login`` asks for Basic authorization over TLS, ``token`` sends everybody to a realm, ``plain`` asks nothing and serves what is in FOLDER
already. Its address is in ``FOLDER.address`` once it is up.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from servers.registry import HTPASSWD, running
from servers.tokens import token_registry


def _tell(folder: Path, address: str) -> None:
    told = folder.with_suffix(".address")
    half = folder.with_suffix(".half")
    half.write_text(address)
    os.rename(half, told)


async def _with_tokens(folder: Path) -> None:
    async with token_registry(folder) as (registry, _):
        _tell(folder, registry.address)
        await asyncio.Event().wait()


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if kind == "token":
        asyncio.run(_with_tokens(folder))
    pair = (Path(sys.argv[3]), Path(sys.argv[4])) if kind == "login" else None
    with running(folder, htpasswd=HTPASSWD if kind == "login" else "", certificate=pair) as registry:
        _tell(folder, registry.address)
        while True:
            time.sleep(1000)


if __name__ == "__main__":
    main()
