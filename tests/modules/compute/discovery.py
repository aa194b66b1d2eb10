"""Google's description of the Compute API: the method of a request, and complaints about a value.

The document (`compute.v1.json`) comes with google-api-python-client. Nothing here knows a resource; only rules
of the document are judged. All complaints begin with the place: "firewall.allowed[0].ports: 8765 is no array".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

BOUNDS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1), "int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
FORMATS = {
    "google-datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"),
    "google-duration": re.compile(r"-?\d+(\.\d{1,9})?s"),
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


@dataclass(frozen=True)
class Method:
    """One method of the API, as the document has it. `request` and `response` name schemas; None: there is no body."""

    id: str
    http: str
    template: str
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None
    scopes: frozenset[str]


class Document:
    """The description of one version of an API."""

    def __init__(self, document: Json) -> None:
        self._schemas: Json = document["schemas"]
        self._common: Json = document["parameters"]
        self.base_path: str = document["basePath"]
        self.root: str = document["rootUrl"]
        self.methods = {method.id: method for method in _methods(document)}
        self._by_shape: dict[tuple[str, int], list[tuple[Method, re.Pattern[str]]]] = {}
        for method in self.methods.values():
            shape = (method.http, method.template.count("/"))
            self._by_shape.setdefault(shape, []).append((method, _pattern(method.template)))

    def route(self, http: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method that `http` on `path` (with the base path) calls, and its path parameters; None when the API has none."""
        if not path.startswith(self.base_path):
            return None
        rest = path.removeprefix(self.base_path)
        found = [
            (method, {name: unquote(value) for name, value in match.groupdict().items()})
            for method, pattern in self._by_shape.get((http, rest.count("/")), ())
            if (match := pattern.fullmatch(rest))
        ]
        return min(found, key=lambda one: len(one[1])) if found else None  # "instances/{instance}" gives way to a literal

    def of_call(self, method: Method, path: Mapping[str, str], query: Mapping[str, Sequence[str]], body: Any) -> list[str]:
        """Return complaints about a request to `method`. `body` is None when there is none."""
        return [*self._of_parameters(method, path, query), *self._of_body(method, body)]

    def of_answer(self, method: Method, answer: Any) -> list[str]:
        """Return complaints about an answer of `method` that is not an error."""
        if method.response is None:
            return [] if answer is None else [f"{method.id}: has no body in its answer"]
        return [*self._value(_ref(method.response), answer, _decapital(method.response), None)]

    def of_resource(self, schema: str, value: Any) -> list[str]:
        """Return complaints about a server's resource of `schema`."""
        return [*self._value(_ref(schema), value, _decapital(schema), None)]

    def _of_parameters(self, method: Method, path: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> Iterator[str]:
        for name, parameter in method.parameters.items():
            if parameter.get("required") and name not in {*path, *query}:
                yield f"{name}: {method.id} requires this parameter"
        given = [("path", name, [value]) for name, value in path.items()] + [("query", *item) for item in query.items()]
        for location, name, values in given:
            parameter = method.parameters.get(name) or self._common.get(name, {})
            if parameter.get("location") != location:
                yield f"{name}: {method.id} has no such parameter in its {location}"
                continue
            if len(values) > 1 and not parameter.get("repeated"):
                yield f"{name}: is given {len(values)} times"
            for text in values:
                yield from _parameter(parameter, text, name)

    def _of_body(self, method: Method, body: Any) -> Iterator[str]:
        if method.request is None:
            if body is not None:
                yield f"{method.id}: takes no body"
        elif body is None:
            yield f"{method.id}: requires a body"
        else:
            yield from self._value(_ref(method.request), body, _decapital(method.request), method.id)

    def _value(self, schema: Json, value: Any, at: str, sent_to: str | None) -> Iterator[str]:
        """Return complaints about `value`; `sent_to` is the method that it is sent to, None for a value of the server."""
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        kind = schema["type"]
        if kind == "any":
            return
        fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if not fits:
            yield f"{at}: {value!r} is no {kind}"
        elif kind == "object":
            yield from self._object(schema, value, at, sent_to)
        elif kind == "array":
            for index, item in enumerate(value):
                yield from self._value(_item(schema), item, f"{at}[{index}]", sent_to)
        else:
            yield from _scalar(schema, value, at)

    def _object(self, schema: Json, value: Json, at: str, sent_to: str | None) -> Iterator[str]:
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, its in known.items():
            if sent_to in its.get("annotations", {}).get("required", ()) and name not in value:
                yield f"{at}.{name}: {sent_to} requires this field"
        for name, inner in value.items():
            its = known.get(name, others)
            where = f"{at}.{name}"
            if its is None:
                yield f"{where}: there is no such field"
            elif sent_to and its.get("readOnly"):
                yield f"{where}: is read-only"
            elif not sent_to and its.get("description", "").startswith("Input only."):
                yield f"{where}: is never in an answer"
            elif name == "kind" and inner != its.get("default", inner):
                yield f"{where}: {inner!r} is not {its['default']}"
            else:
                yield from self._value(its, inner, where, sent_to)


def _methods(node: Json) -> Iterator[Method]:
    for method in node.get("methods", {}).values():
        yield Method(
            method["id"],
            method["httpMethod"],
            method["path"],
            method.get("parameters", {}),
            method.get("request", {}).get("$ref"),
            method.get("response", {}).get("$ref"),
            frozenset(method.get("scopes", ())),
        )
    for resource in node.get("resources", {}).values():
        yield from _methods(resource)


def _pattern(template: str) -> re.Pattern[str]:
    literals = re.split(r"\{\+?(\w+)\}", template)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(literals)))


def _parameter(parameter: Json, text: str, at: str) -> Iterator[str]:
    """Return complaints about a parameter: a text of a URL has any type as which it can be read."""
    kind = parameter["type"]
    if kind == "boolean":
        if text not in ("true", "false"):
            yield f"{at}: {text!r} is no boolean"
    elif kind == "integer":
        if re.fullmatch(r"-?\d+", text):
            yield from _scalar(parameter, int(text), at)
        else:
            yield f"{at}: {text!r} is no integer"
    else:
        yield from _scalar(parameter, text, at)


def _scalar(schema: Json, value: Any, at: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {', '.join(schema['enum'])}"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{at}: {value!r} does not match {schema['pattern']}"
    if not _is_of_format(schema.get("format", ""), value):
        yield f"{at}: {value!r} is no {schema['format']}"
    if "minimum" in schema and int(value) < int(schema["minimum"]):
        yield f"{at}: {value!r} is below {schema['minimum']}"
    if "maximum" in schema and int(value) > int(schema["maximum"]):
        yield f"{at}: {value!r} is above {schema['maximum']}"


def _is_of_format(name: str, value: Any) -> bool:
    if name in BOUNDS:
        low, high = BOUNDS[name]
        return re.fullmatch(r"-?\d+", str(value)) is not None and low <= int(value) <= high
    if name in FORMATS:
        return FORMATS[name].fullmatch(value) is not None
    return name != "byte" or _is_base64(value)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        return False
    return True


def _item(array: Json) -> Json:
    """Return the schema of an array's items; the pattern of an array is theirs."""
    items: Json = array["items"]
    return items | {"pattern": array["pattern"]} if "pattern" in array else items


def _ref(schema: str) -> Json:
    return {"$ref": schema}


def _decapital(name: str) -> str:
    return name[0].lower() + name[1:]


@cache
def compute_v1() -> Document:
    """Return the Compute API v1. Reading it takes a tenth of a second, once in a process."""
    path = files("googleapiclient.discovery_cache") / "documents" / "compute.v1.json"
    return Document(json.loads(path.read_text("utf-8")))
