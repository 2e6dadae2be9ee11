"""Messages as hypothesis makes them up: any JSON, and requests whose keys are right and whose values are not."""

from __future__ import annotations

from hypothesis import strategies as st

from moby_tui.engine.protocol import control

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
#: What ends the container, or stops it for good, is asked of no container that must live on.
_HARMLESS = sorted({operation for operation in control._REQUESTS} - {"signal", "freeze"})
_KEYS = sorted({field.key for request in control._REQUESTS.values() for field in request.FIELDS} | {"args", "version"})
REQUESTS = st.builds(
    lambda operation, values: {**values, "op": operation},
    st.sampled_from(_HARMLESS),
    st.dictionaries(st.sampled_from(_KEYS), JSON, max_size=8),
)
