"""What a step changed, as a layer."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from moby_tui.engine.resources.builder.execution.difference import layer
from trees import CAPABILITY


def test_a_hard_link_tells_the_attributes_of_its_file(tmp_path: Path) -> None:
    """Who sets a link's owner takes the capabilities of its file, and gives back what the link tells (tests/peers: dockerd)."""
    (tmp_path / "first").write_text("x")
    os.setxattr(tmp_path / "first", "security.capability", CAPABILITY)
    (tmp_path / "second").hardlink_to(tmp_path / "first")
    (tmp_path / "link").symlink_to("first")
    os.link(tmp_path / "link", tmp_path / "to-link", follow_symlinks=False)
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer(tmp_path, [])))) as archive:
        told = {member.name: (member.type, "SCHILY.xattr.security.capability" in member.pax_headers) for member in archive}
    assert told.pop(".")[0] == tarfile.DIRTYPE
    assert told == {
        "first": (tarfile.REGTYPE, True),
        "link": (tarfile.SYMTYPE, False),
        "second": (tarfile.LNKTYPE, True),
        "to-link": (tarfile.LNKTYPE, False),
    }
