"""Lines of an early frame as the terminal takes them: as many colours as it has, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

#: By what follows the last hyphen of TERM, as Rich knows terminals.
_SYSTEMS = {"kitty": ColorSystem.EIGHT_BIT, "256color": ColorSystem.EIGHT_BIT}
_PLAIN = Style(color="default", bgcolor="default")


def written(lines: Iterable[Iterable[Segment]], environment: Mapping[str, str]) -> str:
    """The text that draws the lines, from the first of the screen on."""
    system = _colour_system(environment)
    over = _PLAIN if without_colour(environment) else Style.null()
    return "".join(
        f"\x1b[{number};1H" + "".join(_piece(piece, system, over) for piece in line) for number, line in enumerate(lines, 1)
    )


def without_colour(environment: Mapping[str, str]) -> bool:
    """True if the person wants none (no-color.org)."""
    return "NO_COLOR" in environment


def _colour_system(environment: Mapping[str, str]) -> ColorSystem:
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return ColorSystem.TRUECOLOR
    return _SYSTEMS.get(environment.get("TERM", "").strip().lower().rpartition("-")[2], ColorSystem.STANDARD)


def _piece(piece: Segment, system: ColorSystem, over: Style) -> str:
    style = (piece.style or Style.null()).clear_meta_and_links() + over
    return style.render(piece.text, color_system=system)
