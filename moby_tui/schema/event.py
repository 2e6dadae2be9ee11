"""Events, as ``GET /events`` streams them."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record

from msgspec import Struct, field

from moby_tui.schema.base import Wire


class EventActor(Wire, kw_only=True):
    id: str = field(name="ID")
    attributes: dict[str, str] = field(default_factory=dict)


class Event(Struct, kw_only=True):
    """``time`` is Unix seconds, ``time_nano`` the same in nanoseconds."""

    type: str = field(name="Type")
    action: str = field(name="Action")
    actor: EventActor = field(name="Actor")
    scope: str = "local"
    time: int = 0
    time_nano: int = field(default=0, name="timeNano")
