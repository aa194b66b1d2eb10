"""Make the arguments of ``exotelctl`` for the verbs that roles run, from the roles' variables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verb:
    """A verb: the variables that it reads, and the function that makes its arguments from their values."""

    variables: tuple[str, ...]
    arguments: Callable[[Mapping[str, Any]], list[str]]


class NoTool(ValueError):
    """Raised if ``exotelctl`` is not installed beside Ansible; the text has the cure."""


def timestamp(text: str) -> str:
    """Return an absolute time as ``@SECONDS``, any other text unchanged. Raises `NoTool`.

    A host in another zone would take a time without a zone for one of its own; here it is of the controller's. A relative time,
    such as ``-2h`` or ``today``, is for the host's own clock.
    """
    try:
        from exotelctl import timestamp as times
    except ImportError as error:
        raise NoTool(
            f"exotelctl is not installed beside Ansible here ({error}): type make venv, and use the ansible-playbook of .venv"
        ) from None
    return times.timestamp(str(text))


def _logs(values: Mapping[str, Any]) -> list[str]:
    return [
        "logs",
        "--json",
        *_option("--call", values["oncall_logs_call"]),
        *_option("--since", timestamp(values["oncall_logs_since"])),
        *_option("--until", timestamp(values["oncall_logs_until"])),
        *_option("--lines", values["oncall_logs_lines"]),
        *(["--errors"] if values["oncall_logs_errors"] else []),
        *(["--numbers"] if values["oncall_logs_numbers"] else []),
        *_each("--event", values["oncall_logs_event"]),
    ]


def _doctor_look(values: Mapping[str, Any]) -> list[str]:
    return ["doctor", "--since", timestamp(values["oncall_doctor_since"])]


def _doctor_judge(values: Mapping[str, Any]) -> list[str]:
    return [
        "doctor",
        *("--replay", "bundle.tar"),
        *("--outside", values["oncall_doctor_url"]),
        *(("--cloud", "cloud.json") if values["oncall_doctor_gcp_project"] else ()),
        *(("--credential-file", "/dev/stdin") if values["exotel_ws_credentials"] else ()),
    ]


def _port_clean(values: Mapping[str, Any]) -> list[str]:
    return ["port-clean", "--json", "--thorough", *_each("--port", values["oncall_ports"])]


def _reset(values: Mapping[str, Any]) -> list[str]:
    return ["reset", "--json", "--drain", str(values["reset_drain_s"]), *_each("--port", values["reset_ports"])]


VERBS: Mapping[str, Verb] = {
    "logs": Verb(
        (
            "oncall_logs_call",
            "oncall_logs_since",
            "oncall_logs_until",
            "oncall_logs_lines",
            "oncall_logs_errors",
            "oncall_logs_numbers",
            "oncall_logs_event",
        ),
        _logs,
    ),
    "doctor": Verb(("oncall_doctor_since",), _doctor_look),
    "doctor-judge": Verb(("oncall_doctor_url", "oncall_doctor_gcp_project", "exotel_ws_credentials"), _doctor_judge),
    "port-clean": Verb(("oncall_ports",), _port_clean),
    "reset": Verb(("reset_drain_s", "reset_ports"), _reset),
}


def _option(name: str, value: object) -> list[str]:
    return [name, str(value)] if value else []


def _each(name: str, values: Iterable[object]) -> list[str]:
    return [word for value in values for word in (name, str(value))]
