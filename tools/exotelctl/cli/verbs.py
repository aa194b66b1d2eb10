"""The verbs, by what a person wants to do: each with its options, whose docstring is its help, and the module that runs it.

That module is imported when the verb is typed, so that each starts fast.
"""

from dataclasses import dataclass
from typing import Any, Final

from exotel_phone.options import CallOptions, DiffOptions, LoadOptions, ProtocolTestOptions, ReplayOptions, TalkOptions
from typer.core import TyperCommand

from exotelctl.options import (
    CaptureOptions,
    CompletionOptions,
    DialOptions,
    DoctorOptions,
    EdgeOptions,
    HealthOptions,
    KeysOptions,
    LogsOptions,
    MaintenanceOptions,
    PortCleanOptions,
    ResetOptions,
    RestartOptions,
    StatusOptions,
    TraceOptions,
    UrlOptions,
    VerifyOptions,
)

CODES: Final = "Exit codes: 0 done or healthy, 1 problem found, 2 wrong usage, 3 refused (nothing was changed)."
_DOCTOR_CODES: Final = (
    "Exit codes: 0 all ok (or nothing to judge), 1 something failed, 2 wrong usage, 3 refused (nothing was looked at), "
    "4 at worst a warning, 5 at worst an unknown: what could not be looked at never counts as ok."
)
_VERIFY_CODES: Final = f"{CODES.removesuffix('.')}, 4 nothing is deployed to the host."
_OF_TALK: Final = frozenset(("--say", "--dtmf", "--barge-in-after", "--voice", "--chart"))


class _Call(TyperCommand):
    """Refuse the options with which `call` talked to bots before there was `talk`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as every command does, unless the call is meant for a bot. Raises UsageError, which exits with 2."""
        words = [word.partition("=")[0] for word in args]
        if _OF_TALK.intersection(words) or words.count("--wav") > 1:
            ctx.fail('call measures an echo. To talk to a bot: exotelctl talk URL "When are you open?" dtmf:1 file:a.wav')
        return super().parse_args(ctx, args)


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. ``module`` has ``run(options)``, which returns the exit code; ``codes`` tells what the codes mean."""

    options: type
    module: str
    codes: str = CODES
    command: type[TyperCommand] = TyperCommand


GROUPS: Final = {
    "See what is going on": {
        "status": Verb(StatusOptions, "exotelctl.status.verb"),
        "logs": Verb(LogsOptions, "exotelctl.logs.verb"),
        "doctor": Verb(DoctorOptions, "exotelctl.doctor.verb", codes=_DOCTOR_CODES),
        "edge": Verb(EdgeOptions, "exotelctl.edge.verb"),
        "verify": Verb(VerifyOptions, "exotelctl.verify.verb", codes=_VERIFY_CODES),
        "health": Verb(HealthOptions, "exotelctl.health"),
        "keys": Verb(KeysOptions, "exotelctl.keys.verb"),
    },
    "Be Exotel": {
        "call": Verb(CallOptions, "exotel_phone.call", command=_Call),
        "talk": Verb(TalkOptions, "exotel_phone.talk.verb"),
        "protocol-test": Verb(ProtocolTestOptions, "exotel_phone.protocol_test.verb"),
        "load": Verb(LoadOptions, "exotel_phone.load.verb"),
        "url": Verb(UrlOptions, "exotelctl.url"),
        "dial": Verb(DialOptions, "exotelctl.outbound.verb"),
    },
    "Look into calls": {
        "trace": Verb(TraceOptions, "exotelctl.trace.verb"),
        "capture": Verb(CaptureOptions, "exotelctl.capture.verb"),
        "replay": Verb(ReplayOptions, "exotel_phone.captures.replay"),
        "diff": Verb(DiffOptions, "exotel_phone.captures.compare"),
    },
    "Put it right": {
        "restart": Verb(RestartOptions, "exotelctl.restart"),
        "reset": Verb(ResetOptions, "exotelctl.reset.verb"),
        "port-clean": Verb(PortCleanOptions, "exotelctl.port.verb"),
        "maintenance": Verb(MaintenanceOptions, "exotelctl.maintenance"),
    },
    "Your shell": {
        "completion": Verb(CompletionOptions, "exotelctl.completion"),
    },
}
