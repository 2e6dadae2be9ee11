"""The errors that an engine, lost or broken, may cause."""

from __future__ import annotations

from moby_tui.errors import MobyError

#: A ``ValueError`` is a malformed answer (msgspec's errors are ``ValueError``s).
TROUBLE = (MobyError, OSError, EOFError, ValueError)
