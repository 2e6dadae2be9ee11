"""The stored login to the registry of an image."""

from __future__ import annotations

import asyncio

from moby_tui.schema.image import RegistryAuth


async def login_for(image: str) -> RegistryAuth | None:
    """The login that docker's or moby's ``login`` has stored for the registry that an image's name names, if there is one."""
    from moby_tui import logins
    from moby_tui.reference import parse

    # a credential helper is a program of its own
    return await asyncio.to_thread(logins.find, parse(image).domain)
