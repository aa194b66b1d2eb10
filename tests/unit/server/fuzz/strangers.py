"""Strategies for input from strangers: JSON of every shape, near Exotel's own and far from it."""

import json
from typing import Any

from hypothesis import strategies as st

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "s", "8000", "16 kHz", "1e400", "inf", "\x00", '"', "\\", "\u2028", "a=1&b:2=", "?x", "é€😀"]),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=3), st.integers(1, 2000)),
)
numbers = st.one_of(st.integers(), st.sampled_from([0, -1, 1 << 64, 10**400]), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=8
)
base64s = st.one_of(
    st.text(alphabet="AQID+/=", max_size=60),
    st.text(max_size=40),
    st.builds(lambda size: "AQID" * size, st.integers(0, 100)),
    st.builds(lambda size: "AQI=" * size, st.integers(30_000, 34_000)),
)
formats = st.dictionaries(st.sampled_from(["encoding", "sample_rate", "bit_rate"]), values, max_size=3) | values
parameters = st.dictionaries(texts, values, max_size=5) | values
fields = {
    "stream_sid": scalars,
    "streamSid": scalars,
    "call_sid": values,
    "leg_sid": values,
    "account_sid": values,
    "from": values,
    "to": values,
    "media_format": formats,
    "custom_parameters": parameters,
    "reason": values,
    "digit": st.sampled_from([*"0123456789*#", 5, "A", "", None]) | values,
    "duration": values,
    "name": texts,
    "payload": base64s,
    "chunk": scalars,
    "timestamp": scalars,
}
events = ["connected", "start", "media", "mark", "dtmf", "clear", "stop"]
bodies = st.fixed_dictionaries({}, optional=fields)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an object that is nearly a message: nested, flat or both, with anything in its fields."""
    event = draw(st.sampled_from(events) | texts)
    document: dict[str, Any] = draw(bodies) if draw(st.booleans()) else {}
    if draw(st.booleans()):
        document["stream_sid"] = draw(st.sampled_from(["s", "other"]))
    document |= {"event": event}
    if draw(st.integers(0, 9)):
        document[event] = draw(bodies)
    return document


def written(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


messages = st.one_of(
    documents().map(written),
    st.just('{"event":"start","stream_sid":"s"}'),
    base64s.map(lambda payload: written({"event": "media", "stream_sid": "s", "media": {"payload": payload}})),
    texts.map(lambda name: written({"event": "mark", "mark": {"name": name}})),
    values.map(written),
    st.text(max_size=40),
)
