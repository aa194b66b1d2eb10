"""Every request to the Compute API: made again where that may help, waited for with a bound, and remembered if it writes."""

from __future__ import annotations

import email.utils
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .faults import Fault, explain, explain_operation, google_errors, is_answer, is_passing
from .session import Session

_REQUEST_S = 30.0
_BACKOFF_S = (0.25, 8.0)
_POLL_S = (0.05, 2.0)
_POLL_GROWTH = 1.6
# Errors that the client raises for an answer of an unexpected form.
_NOT_UNDERSTOOD = (AttributeError, KeyError, TypeError, ValueError)
# What a permission calls a method of another name.
_VERBS = {"insert": "create", "aggregatedList": "list"}


class Calls:
    """Requests of one module run. `operations` is what was written so far, in order.

    An entry has ``what`` (``insert of firewall rule x``), ``operation`` (its name, or null if Google never answered) and
    ``status``: ``DONE``, ``FAILED``, or ``PENDING``, ``RUNNING`` or ``UNKNOWN`` for one whose end was not seen.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.operations: list[dict[str, Any]] = []

    @property
    def wrote(self) -> bool:
        """Return True if something changed at Google, or may have."""
        return any(entry["status"] != "FAILED" for entry in self.operations)

    def read(self, service: str, method: str, what: str, **request: Any) -> Any:
        """Return the answer of `method` (``get`` …) of `service`; the project is added to `request`.

        Raises Fault; one that names what was asked for as missing has the reason ``notFound``.
        """
        return self._ask(service, method, what, request, _Deadline(self.session.timeout_s))

    def read_all(self, service: str, method: str, what: str, **request: Any) -> list[Any]:
        """Return every item on every page of `method` (``list``, ``aggregated_list``). Raises Fault."""
        found = self._ask(service, method, what, request, _Deadline(self.session.timeout_s), list)
        return list(found)

    def write(self, service: str, method: str, what: str, **request: Any) -> Any:
        """Make the change, wait until its operation is done, and return the operation.

        `method` is ``insert``, ``update``, ``delete`` …; `what` says it in words, as ``insert of firewall rule x``. However
        often the request is sent, it carries one request ID, so that it is carried out once. Raises Fault.
        """
        deadline = _Deadline(self.session.timeout_s)
        entry: dict[str, Any] = {"what": what, "operation": None, "status": "UNKNOWN"}
        self.operations.append(entry)
        request = {**request, "request_id": str(uuid.uuid4())}
        try:
            operation = self._ask(service, f"{method}_unary", what, request, deadline)
        except Fault as fault:
            if not fault.carried_out:
                self.operations.remove(entry)
            raise
        return self._wait(operation, entry, deadline, _permission(service, method))

    def _wait(self, operation: Any, entry: dict[str, Any], deadline: _Deadline, permission: str) -> Any:
        service, place, flag = _place(operation)
        what = f"waiting for operation {operation.name} ({entry['what']})"
        pause_s = _POLL_S[0]
        while True:
            entry.update(operation=operation.name, status=type(operation).Status(operation.status).name)
            if entry["status"] == "DONE":
                break
            if deadline.left_s <= pause_s:
                raise self._unfinished(entry, flag)
            time.sleep(pause_s)
            pause_s = min(pause_s * _POLL_GROWTH, _POLL_S[1])
            try:
                operation = self._ask(service, "get", what, {"operation": operation.name, **place}, deadline)
            except Fault as fault:
                fault.carried_out = True  # only its end was not seen
                raise
        if operation.error.errors or operation.http_error_status_code:
            entry["status"] = "FAILED"
            raise explain_operation(operation, self.session.context(entry["what"], permission))
        return operation

    def _unfinished(self, entry: dict[str, Any], flag: str) -> Fault:
        described = f"gcloud compute operations describe {entry['operation']} {flag} --project={self.session.project}"
        return Fault(
            f"waited {self.session.timeout_s:g} s for operation {entry['operation']} ({entry['what']}): "
            f"it is still {entry['status']}; {described}",
            reason="timeout",
        )

    def _ask(
        self,
        service: str,
        method: str,
        what: str,
        request: dict[str, Any],
        deadline: _Deadline,
        taken: Callable[[Any], Any] = lambda answer: answer,
    ) -> Any:
        """Make a request, again and again while it fails in a way that passes and there is time; return its answer `taken`."""
        call = getattr(self.session.client(service), method)
        request = {"project": self.session.project, **request}
        pause_s, tries, doubt = _BACKOFF_S[0], 0, False
        while True:
            tries += 1
            try:
                # The client's own retry has no end that fits ours, and does not cover changes.
                return taken(call(request=request, retry=None, timeout=min(deadline.left_s, _REQUEST_S)))
            except google_errors() as error:
                doubt = doubt or not is_answer(error)
                wait_s = _retry_after_s(error) or random.uniform(pause_s / 2, pause_s)
                if not is_passing(error) or wait_s >= deadline.left_s:
                    raise self._fault(error, what, _permission(service, method), tries, doubt) from error
            except _NOT_UNDERSTOOD as error:
                unclear = f"Google's client does not understand what came ({type(error).__name__}) from {self.session.endpoint}"
                cure = "or from where its token is; check api_endpoint, and HTTPS_PROXY"
                fault = Fault(f"{what}: {unclear} {cure}", reason="connection")
                fault.carried_out = True
                raise fault from error
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, _BACKOFF_S[1])

    def _fault(self, error: Exception, what: str, permission: str, tries: int, doubt: bool) -> Fault:
        context = self.session.context(f"{what}, tried {tries} times" if tries > 1 else what, permission)
        fault = explain(error, context)
        fault.carried_out = doubt
        return fault


class _Deadline:
    def __init__(self, bound_s: float) -> None:
        self._end = time.monotonic() + bound_s

    @property
    def left_s(self) -> float:
        """Seconds until the end, never less than a millisecond, which a request takes for "at once"."""
        return max(self._end - time.monotonic(), 0.001)


def _place(operation: Any) -> tuple[str, dict[str, str], str]:
    """Return the service that knows `operation`, the parameters that say where it is, and the same for gcloud."""
    for kind in ("zone", "region"):
        name = str(getattr(operation, kind)).rpartition("/")[2]
        if name:
            return f"{kind.title()}Operations", {kind: name}, f"--{kind}={name}"
    return "GlobalOperations", {}, "--global"


def _permission(service: str, method: str) -> str:
    verb = _camel(method.replace("_unary", ""))
    return f"compute.{service[0].lower()}{service[1:]}.{_VERBS.get(verb, verb)}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _retry_after_s(error: BaseException) -> float:
    """Return how long Google asks to wait, in seconds, or 0."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    said = str(headers.get("Retry-After", ""))
    if said.isdecimal():
        return float(said)
    when = email.utils.parsedate_tz(said)
    try:
        return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else 0.0
    except (ValueError, OverflowError):  # no date that there is
        return 0.0


def run_module(module: AnsibleModule, body: Callable[[Calls], dict[str, Any]]) -> None:
    """Return what `body` does as the module's result; a Fault as its failure, with what was written until then."""
    calls = None
    try:
        calls = Calls(Session(module.params))
        result = body(calls)
    except Fault as fault:
        done = {"changed": calls.wrote, "operations": calls.operations} if calls else {}
        module.fail_json(msg=str(fault), reason=fault.reason, code=fault.code, **{**done, **fault.result})
    module.exit_json(**result)
