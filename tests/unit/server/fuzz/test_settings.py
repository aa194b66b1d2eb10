"""Any mapping gives settings, or a `SettingsError` that names the cure."""

from typing import Any

import msgspec
from exotel_ws import settings
from exotel_ws.ai.settings import Ai
from exotel_ws.settings import Settings, SettingsError
from hypothesis import given
from hypothesis import strategies as st

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from(["echo", "ai", "picows"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6
)


def names(struct: Any) -> list[str]:
    return list(struct.__struct_fields__)


def tables() -> dict[str, st.SearchStrategy[Any]]:
    found: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(Settings):
        kind = Ai if field.name == "ai" else field.type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            found[field.name] = st.dictionaries(st.sampled_from(names(kind)) | st.text(max_size=8), values, max_size=4) | values
        else:
            found[field.name] = values
    return found


@given(st.fixed_dictionaries({}, optional=tables()), st.dictionaries(st.text(max_size=8), values, max_size=2))
def test_any_mapping_is_settings_or_a_fault_with_a_cure(known: dict[str, Any], more: dict[str, Any]) -> None:
    raw = more | known
    chosen: Settings | None = None
    problems: list[str] = []
    try:
        chosen = settings.check(raw)
    except SettingsError as error:
        problems = error.problems
    if chosen is None:
        assert problems
        assert all(problem.strip() for problem in problems)
    else:
        assert settings.check(msgspec.to_builtins(chosen)) == chosen
