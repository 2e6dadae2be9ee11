"""The other doors: ``moby daemon`` and ``moby tui``."""
from __future__ import annotations
import typer
app = typer.Typer()
