"""Lines of an early frame as the terminal takes them: as many colours as it has, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style

#: By what follows the last hyphen of TERM, as Rich knows terminals.
_SYSTEMS = {"kitty": ColorSystem.EIGHT_BIT, "256color": ColorSystem.EIGHT_BIT}
#: How light red, green and blue are.
_LIGHT = (0.2126, 0.7152, 0.0722)


def written(lines: Iterable[Iterable[Segment]], environment: Mapping[str, str]) -> str:
    """The text that draws the lines, from the first of the screen on."""
    system = _colour_system(environment)
    grey = "NO_COLOR" in environment
    return "".join(
        f"\x1b[{number};1H" + "".join(_piece(piece, system, grey=grey) for piece in line) for number, line in enumerate(lines, 1)
    )


def _colour_system(environment: Mapping[str, str]) -> ColorSystem:
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return ColorSystem.TRUECOLOR
    return _SYSTEMS.get(environment.get("TERM", "").strip().lower().rpartition("-")[2], ColorSystem.STANDARD)


def _piece(piece: Segment, system: ColorSystem, *, grey: bool) -> str:
    style = (piece.style or Style.null()).clear_meta_and_links()
    if grey:
        style += Style(color=_grey(style.color), bgcolor=_grey(style.bgcolor))
    return style.render(piece.text, color_system=system)


def _grey(colour: Color | None) -> Color | None:
    if colour is None:
        return None
    light = round(sum(part * share for part, share in zip(colour.get_truecolor(), _LIGHT, strict=True)))
    return Color.from_rgb(light, light, light)
