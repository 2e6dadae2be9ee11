"""``system doctor``: what the engine has on its host, and what is missing."""

from __future__ import annotations

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.system import SystemDoctorOptions


def doctor(options: SystemDoctorOptions) -> int:
    """``moby system doctor``."""
    from moby_tui.schema.base import to_builtins

    checks = session.call(lambda client: client.system.examine())
    if options.format:
        from moby_tui.cli.output.table import formatted

        fields = {field: field.upper() for field in ("Severity", "About", "Message", "Advice")}
        lines = formatted(options.format, fields, tuple(fields), [to_builtins(one) for one in checks])
    else:
        lines = [f"{one.severity}: {one.about}: {one.message}{f'; {one.advice}' if one.advice else ''}" for one in checks]
    for line in lines:
        print(line)
    return int(any(one.severity == "error" for one in checks))
