"""Make the server's settings from the variables of the role ``exotel_ws``, and check them as the server does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from . import edge, generation_parts
from .variables import LEAST_TOKEN, settled, short_token, specs

TREE = Path(__file__).resolve().parents[2]
OF_A_DEPLOY = {"mode": "exotel_ws_mode", "host": "exotel_ws_host", "port": "exotel_ws_port"}
"""Settings by which a deploy makes more than ``settings.toml``, and their variables: packages, sandbox and socket."""


def settings(values: Mapping[str, Any], public_url: str = "") -> dict[str, Any]:
    """Return the table of ``settings.toml`` for these variables; one that is not among `values` has its default.

    Raises `variables.Fault` for a value that can't be used.
    """
    value = partial(_value, values)
    table: dict[str, Any] = {
        "mode": value("exotel_ws_mode"),
        "engine": value("exotel_ws_engine"),
        "host": edge.listening(value),
        "port": value("exotel_ws_port"),
        "public_url": public_url,
        "paths": value("exotel_ws_paths"),
        "limits": {"max_calls": value("exotel_ws_max_calls")},
        "auth": {"required": len(value("exotel_ws_credentials")) > 0},
        "drain": {"timeout_s": value("exotel_ws_drain_timeout")},
    }
    # Server defaults are not written, because an older release may not know the setting.
    if proxies := edge.proxies(value):
        table["limits"]["proxies"] = proxies
    if value("exotel_ws_proxy_protocol") and not value("exotel_ws_edge"):
        table["proxy_protocol"] = True
    for key in ("metrics_sources", "open_metrics"):
        if value(f"exotel_ws_{key}"):
            table[key] = value(f"exotel_ws_{key}")
    if table["mode"] == "ai":
        # The files lie beside settings.toml.
        kinds = generation_parts.FILES
        named = {kind: f"files/{file}" for kind, file in kinds.items() if value(f"exotel_ws_ai_{kind}")}
        table["ai"] = {**value("exotel_ws_ai"), **named}
        for bot, told in generation_parts.bots(table["ai"]).items():
            own = {kind: f"files/{generation_parts.file_of_bot(bot, kind)}" for kind in kinds if told.get(kind)}
            table["ai"] = _merged(table["ai"], {"bots": {bot: own}})
    return _merged(table, value("exotel_ws_settings"))


def faults(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of the settings, by the variables that they come from.

    Unless the controller has a server of this tree installed, only contradictions between variables are found; the host checks
    the settings again before they serve.
    """
    check = _check()
    if check is None:
        return _contradictions(values)
    table = settings(values)
    sources = "exotel_ws_settings" + (" or exotel_ws_ai" if values.get("exotel_ws_ai") else "")
    if said := [f"{sources}: {problem}" for problem in check(table)] or _contradictions(values):
        return said
    credentials = settled("exotel_ws_credentials", values.get("exotel_ws_credentials", []))
    short = short_token(credentials, table["auth"].get("least_length", LEAST_TOKEN))
    return [f"exotel_ws_credentials: {short}"] if short else []


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each setting in ``exotel_ws_settings`` that differs from its variable in `OF_A_DEPLOY`, and for each
    contradiction between variables of the edge.
    """
    more, value = _value(values, "exotel_ws_settings"), partial(_value, values)
    behind_the_edge = {"host": edge.LISTEN} if value("exotel_ws_edge") else {}
    found = [
        f"exotel_ws_settings: {key} is {json.dumps(more[key], default=str)}, but with exotel_ws_edge the server listens on "
        f"{said} alone: delete {key} from exotel_ws_settings"
        for key, said in behind_the_edge.items()
        if key in more and more[key] != said
    ]
    found += [
        f"exotel_ws_settings: {key} is {json.dumps(more[key], default=str)}, but {name} is {json.dumps(said)}, by which a deploy "
        f"makes packages, sandbox and socket: set {name}, and delete {key} from exotel_ws_settings"
        for key, name in OF_A_DEPLOY.items()
        if key not in behind_the_edge and key in more and more[key] != (said := value(name))
    ]
    return found + edge.contradictions(value, more)


def _value(values: Mapping[str, Any], name: str) -> Any:
    return settled(name, values.get(name, specs()[name]["default"]))


def _check() -> Any:
    try:
        import exotel_ws
        from exotel_ws.settings import SettingsError, check
    except ImportError:
        return None
    if Path(exotel_ws.__file__ or "/").resolve().parents[2] != TREE:
        return None

    def problems(table: dict[str, Any]) -> list[str]:
        try:
            # Plain values, because a strict check refuses Ansible's own tagged kinds of text and number.
            check(json.loads(json.dumps(table)))
        except SettingsError as error:
            return list(error.problems)
        return []

    return problems


def _merged(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
