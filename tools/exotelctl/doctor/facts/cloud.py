"""Read what the controller found about Google Cloud's firewall: the result of the module gcp_effective_firewall_info.

Only the controller can ask Google; this tool reads what it was told.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from exotel_phone.exits import UsageFault

from exotelctl.doctor import codec
from exotelctl.doctor.facts.fact import NotSeen

_MOST_BYTES: Final = 8 << 20
_MOST_RULES: Final = 12
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Cloud:
    """``reachable`` is ``yes``, ``no``, ``partly`` or ``unknown``, and ``text`` says it in a sentence.

    ``obstacles`` are why nothing arrives whatever the firewall says, ``doubts`` why it can't be told, ``rules`` the rules that
    concern the port, in the order of evaluation, at most twelve. ``instance`` and ``zone`` say what was looked at. ``leftovers``
    are rules of ours that nobody needs any more.
    """

    reachable: str
    text: str
    obstacles: tuple[str, ...]
    doubts: tuple[str, ...]
    rules: tuple[str, ...]
    project: str
    instance: str
    zone: str
    addresses: tuple[str, ...]
    leftovers: tuple[str, ...] = ()


def read(path: Path) -> bytes:
    """Return the result as it was saved. Raises UsageFault if there is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise UsageFault(f"--cloud {path}: {error.strerror}") from None


def understand(raw: bytes) -> Cloud:
    """Return what the result says, without what this version does not know.

    Raises NotSeen where the module failed, or where this is no result of it.
    """
    try:
        result = _a(dict, codec.load(raw), "it")
        if "reachable" not in result:
            why = " ".join(str(result.get("msg") or "it does not say whether the port is reachable").split())
            raise NotSeen(f"Google Cloud's firewall could not be looked at: {why}")
        instance = _a(dict, result.get("instance"), "instance")
        shares = [_a(dict, share, "a share") for share in _a(list, result.get("shares"), "shares")]
        rules = [_a(dict, rule, "a rule") for rule in _a(list, result.get("rules"), "rules")]
        return Cloud(
            reachable=_a(str, result["reachable"], "reachable"),
            text=_a(str, result.get("text"), "text"),
            obstacles=_texts(result.get("obstacles"), "obstacles"),
            doubts=tuple(doubt for share in shares for doubt in _texts(share.get("doubts"), "doubts")),
            rules=tuple(map(_rule, rules[:_MOST_RULES])),
            project=_a(str, instance.get("project"), "project"),
            instance=_a(str, instance.get("name"), "name"),
            zone=_a(str, instance.get("zone"), "zone"),
            leftovers=_texts(result.get("leftovers", []), "leftovers"),
            addresses=(*_texts(instance.get("external"), "external"), *_texts(instance.get("internal"), "internal")),
        )
    except codec.Unfit as unfit:
        raise NotSeen(f"what was found out about Google Cloud's firewall cannot be read: {unfit}") from None


def _rule(rule: dict[str, object]) -> str:
    """Return ``VPC rules: rule allow-exotel-ws, priority 1000, allow, from 0.0.0.0/0 to tcp:8765``."""
    level, policy, name = (_a(str, rule.get(key), key) for key in ("level", "policy", "name"))
    place, named = (" ".join(filter(None, words)) for words in ((level, policy), ("rule", name)))
    return f"{place}: {named}, priority {rule.get('priority')}, {rule.get('action')}, {rule.get('match')}"


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(_a(str, item, where) for item in _a(list, value, where))


def _a(kind: type[_T], value: object, where: str) -> _T:
    if not isinstance(value, kind):
        raise codec.Unfit(f"{where}: {type(value).__name__} where {kind.__name__} belongs")
    return value
