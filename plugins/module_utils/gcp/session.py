"""Session with Google's Compute API: the options all GCP modules share, credentials, and clients over REST."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from typing import Any

from .faults import SOMEBODY, Context, Fault, explain
from .refusal import take

# Documented in doc_fragments/gcp.py.
AUTH_OPTIONS: dict[str, dict[str, Any]] = {
    "project": {"type": "str", "required": True},
    "auth_kind": {
        "type": "str",
        "choices": ["application_default", "service_account_file"],
        "default": "application_default",
    },
    "service_account_file": {"type": "path"},
    "impersonate_service_account": {"type": "str"},
    "api_endpoint": {"type": "str", "default": "https://compute.googleapis.com"},
    "iam_endpoint": {"type": "str", "default": "https://iamcredentials.googleapis.com"},
    "timeout": {"type": "int", "default": 120},
}

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_PROJECT = re.compile(r"(?:[a-z0-9][-a-z0-9.]*:)?[a-z][-a-z0-9]{1,61}[a-z0-9]|[0-9]{1,19}")
_LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_ENDPOINT = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(:[0-9]{{1,5}})?/?")
# What the library raises for a file of another content than it expects.
_DAMAGED = (AttributeError, TypeError, ValueError)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Session:
    """Clients of the Compute API for one module's parameters (AUTH_OPTIONS), made when they are first asked for.

    Raises Fault with reason ``invalid`` for parameters that cannot be right; no request is made before one is needed.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._clients: dict[str, Any] = {}
        self._source: Any = None
        self._credentials: Any = None
        self.project: str = params["project"]
        self.timeout_s: float = params["timeout"]
        self.endpoint: str = params["api_endpoint"].rstrip("/")
        self._check()

    def client(self, service: str) -> Any:
        """Return the client for `service`, named as the API does: ``Firewalls``, ``GlobalOperations``, ``Instances`` …

        Raises Fault if the library is missing or there are no credentials.
        """
        if service not in self._clients:
            self._clients[service] = self._connect(getattr(_library("google.cloud.compute_v1"), f"{service}Client"))
        return self._clients[service]

    def context(self, what: str, permission: str = "") -> Context:
        """Return what an error needs to know of a request: `what` it is for, and the `permission` that it takes."""
        source = _member(getattr(self._source, "service_account_email", None))
        account = self._params["impersonate_service_account"]
        return Context(what, self.project, permission, _member(account) if account else source, source, self.endpoint)

    def _check(self) -> None:
        params = self._params
        if not _PROJECT.fullmatch(self.project):
            raise _invalid(f"project: {self.project!r} is not a project's ID; see gcloud projects list")
        if self.timeout_s < 1:
            raise _invalid(f"timeout: {params['timeout']} s is too short, the least is 1")
        if params["auth_kind"] == "service_account_file" and not params["service_account_file"]:
            raise _invalid("service_account_file: needed with auth_kind=service_account_file")
        if params["auth_kind"] != "service_account_file" and params["service_account_file"]:
            raise _invalid("service_account_file: only used with auth_kind=service_account_file; set both or neither")
        for option in ("api_endpoint", "iam_endpoint"):
            found = _ENDPOINT.fullmatch(params[option])
            if not found:
                raise _invalid(f"{option}: {params[option]!r} is not https://HOST or https://HOST:PORT")
            if found.group(1) == "http" and found.group(2) not in _LOOPBACK:
                raise _invalid(f"{option}: http to {found.group(2)} would show the token to everybody on the way; use https")

    def _connect(self, kind: Any) -> Any:
        scheme, _, host = self.endpoint.partition("://")
        rest = kind.get_transport_class("rest")

        def transport(**options: Any) -> Any:
            # A key's own signature instead of a token would save a request, but a key that was deleted is then told of
            # as a plain 401 by the API, and as what it is by the token's issuer.
            return rest(**{**options, "url_scheme": scheme, "always_use_jwt_access": False})

        if self._credentials is None:
            self._credentials = self._find_credentials()
        client = kind(credentials=self._credentials, client_options={"api_endpoint": host}, transport=transport)
        client.transport._session.hooks["response"].append(take)
        return client

    def _find_credentials(self) -> Any:
        params = self._params
        self._source = _from_file(params["service_account_file"]) if params["service_account_file"] else self._default()
        account = params["impersonate_service_account"]
        if not account:
            return self._source
        address = f"{params['iam_endpoint'].rstrip('/')}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        return _library("google.auth.impersonated_credentials").Credentials(
            self._source, target_principal=account, target_scopes=_SCOPES, iam_endpoint_override=address
        )

    def _default(self) -> Any:
        auth = _library("google.auth")
        try:
            return auth.default(scopes=_SCOPES)[0]
        except auth.exceptions.GoogleAuthError as error:
            raise explain(error, self.context("Application Default Credentials")) from error
        except _DAMAGED as error:
            cure = "the file of Application Default Credentials is damaged: gcloud auth application-default login"
            raise Fault(cure, reason="credentials") from error


def _from_file(path: str) -> Any:
    kind = _library("google.oauth2.service_account").Credentials
    try:
        return kind.from_service_account_file(path, scopes=_SCOPES)
    except OSError as error:
        raise _invalid(f"service_account_file: {path} cannot be read: {error.strerror}") from error
    except _DAMAGED as error:
        # What the parser says could quote the file, which is a secret.
        raise _invalid(
            f"service_account_file: {path} is not the JSON key of a service account: "
            "gcloud iam service-accounts keys create FILE --iam-account=EMAIL"
        ) from error


def _member(email: str | None) -> str:
    """Return an account as IAM writes it. Credentials do not tell a person's, and a VM's only once they were used."""
    if not email:
        return SOMEBODY
    return f"serviceAccount:{'ACCOUNT_OF_THIS_VM' if email == 'default' else email}"


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Fault(
            f"google-cloud-compute is missing for {sys.executable}: run make venv and use .venv/bin/ansible-playbook, "
            f"or {sys.executable} -m pip install google-cloud-compute",
            reason="library",
        ) from error


def _invalid(message: str) -> Fault:
    return Fault(message, reason="invalid")
