"""Answer Exotel's Passthru applet, ``GET /exotel/next/SECRET?CallSid=…``: 200 to transfer, 302 to end the call.

Exotel signs nothing, so the path has a secret. The caller waits for the answer, which comes from memory.
"""

import logging
import time
from typing import Final

from exotel_ws.admission.sampler import Sampler
from exotel_ws.engines.request import Answer
from exotel_ws.handshake import Target
from exotel_ws.logs import printable
from exotel_ws.metrics.tally import Tally
from exotel_ws.passthru.address import CREDENTIAL, PATH
from exotel_ws.passthru.outcomes import Applet, Outcomes
from exotel_ws.path_secrets import PathSecrets
from exotel_ws.settings import Passthru as PassthruSettings

STATUS: Final = {"transfer": 200, "end": 302}
"""Answers that Exotel knows: the applet's first way on, and its second."""
MOST_CALL_SID: Final = 128
"""Most characters of a call sid; Exotel's have 32."""
_SAY_AT_ONCE: Final = 500
"""Lines of one outcome at once, then one a second: as many as calls that end together."""
_DOUBTS: Final = {
    "unknown": ", as passthru.unknown says: no call of that sid has ended here",
    "no_call_sid": f", as passthru.unknown says: the query has no CallSid of 1 to {MOST_CALL_SID} characters",
}
_TEXT: Final = "text/plain; charset=utf-8"
_NO_STORE: Final = (("Cache-Control", "no-store"),)

log = logging.getLogger("exotel_ws.server")


class Passthru:
    """Answers for one worker, out of the ``outcomes`` of all."""

    def __init__(self, secrets: PathSecrets, settings: PassthruSettings, outcomes: Outcomes, tally: Tally) -> None:
        self._secrets = secrets
        self._settings = settings
        self.outcomes: Final = outcomes
        self._tally = tally
        self._sampler = Sampler(1.0, _SAY_AT_ONCE)

    @classmethod
    def load(cls, settings: PassthruSettings, outcomes: Outcomes, tally: Tally) -> "Passthru | None":
        """Read the secrets; return None if there is no such credential. Raises `SettingsError` for one that can't be used."""
        secrets = PathSecrets.load(CREDENTIAL)
        return cls(secrets, settings, outcomes, tally) if secrets else None

    @staticmethod
    def asked(target: Target) -> bool:
        """Return True if a request is for this applet, whatever its secret."""
        return target.path == PATH or target.path.startswith(f"{PATH}/")

    def admits(self, target: Target) -> bool:
        """Return True if the path has one of the secrets, and nothing else."""
        return self._secrets.admit(target.path.removeprefix(f"{PATH}/"))

    def answer(self, target: Target, remote: str) -> Answer:
        """Return the answer for the call that the query names, `Passthru.unknown` for any other; count and log it."""
        call_sid = _call_sid(target.query)
        known = self.outcomes.of(call_sid) if call_sid else None
        outcome = known or ("unknown" if call_sid else "no_call_sid")
        applet = known or self._settings.unknown
        self._tally.passthru[outcome] += 1
        self._say(applet, outcome, call_sid, remote)
        return Answer(STATUS[applet], _TEXT, f"{applet}\n", _NO_STORE)

    def _say(self, applet: Applet, outcome: str, call_sid: str, remote: str) -> None:
        left_out = self._sampler.due(outcome, time.monotonic())
        if left_out is None:
            return
        said = {"EVENT": "passthru", "OUTCOME": outcome, "HOW": applet, "CODE": str(STATUS[applet]), "REMOTE": remote}
        said |= {"CALL_SID": printable(call_sid, MOST_CALL_SID)} if call_sid else {}
        said |= {"LEFT_OUT": str(left_out)} if left_out else {}
        level = logging.WARNING if outcome in _DOUBTS else logging.INFO
        doubt = _DOUBTS.get(outcome, "")
        log.log(level, "🔀 Passthru: %s, with %d%s", applet, STATUS[applet], doubt, extra={"fields": said})


def _call_sid(query: dict[str, str]) -> str:
    """Return the call sid of a query, in any spelling; empty if there is none, or one that can't be a call's."""
    found = next((value for name, value in query.items() if name.replace("_", "").lower() == "callsid"), "")
    return found if len(found) <= MOST_CALL_SID else ""
