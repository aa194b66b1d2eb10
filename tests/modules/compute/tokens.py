"""Rights to call: service accounts, their tokens, and the scopes of these.

The checks are Google's: a JWT by its key, audience and age, a bearer token by its issuer and its scopes. The client signs
its own token for the API where it can (AIP-4111); then it does not ask for one.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from tests.modules.compute.discovery import Json

ACCOUNT = "deployer@contract-test.iam.gserviceaccount.com"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
LIFETIME = 3600


class Denied(Exception):
    """Refusal of a token or an assertion."""


@dataclass(frozen=True)
class Grant:
    """Account, scopes and end (seconds of the epoch) of a token."""

    principal: str
    scopes: frozenset[str]
    until: float


@dataclass
class Tokens:
    """Tokens of one server, whose API has the root `audience`. `account` may get tokens of the accounts in `impersonable`."""

    audience: str
    account: str = ACCOUNT
    impersonable: set[str] = field(default_factory=set)
    _issued: dict[str, Grant] = field(default_factory=dict)

    def issue(self, principal: str, scopes: frozenset[str], lifetime: float = LIFETIME) -> str:
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._issued[token] = Grant(principal, scopes, time.time() + lifetime)
        return token

    def revoke_all(self) -> None:
        """Revoke all issued tokens."""
        self._issued.clear()

    def exchange(self, grant_type: str, assertion: str) -> str:
        """Return the token for a service account's signed assertion. Raises Denied."""
        if grant_type != GRANT:
            raise Denied(f"unsupported grant type {grant_type!r}")
        claims = _claims(assertion, TOKEN_AUDIENCE)
        if claims.get("iss") != self.account or not claims.get("scope"):
            raise Denied("the assertion has another issuer or no scope")
        return self.issue(self.account, frozenset(claims["scope"].split()))

    def holder(self, header: str) -> Grant:
        """Return the grant of the Authorization header. Raises Denied."""
        kind, _, token = header.partition(" ")
        if kind != "Bearer" or not token:
            raise Denied("there is no bearer token")
        grant = self._issued.get(token) or self._self_signed(token)
        if grant.until < time.time():
            raise Denied("the token has expired")
        return grant

    def credentials(self, token_uri: str) -> Json:
        """Return the content of a service account's key file."""
        return {
            "type": "service_account",
            "project_id": "contract-test",
            "private_key_id": "contract-test-key",
            "private_key": _keys()[0],
            "client_email": self.account,
            "client_id": "100000000000000000001",
            "token_uri": token_uri,
        }

    def _self_signed(self, token: str) -> Grant:
        """Return the grant of a token that the client signed itself: its scopes, or everything if it names this API."""
        claims = _claims(token, None)
        if claims.get("iss") != self.account or claims.get("sub") != self.account:
            raise Denied("the token has another issuer or subject")
        if "scope" not in claims and claims.get("aud") != self.audience:
            raise Denied(f"the token is for {claims.get('aud')}, not for {self.audience}")
        scopes = frozenset(str(claims.get("scope", CLOUD_PLATFORM)).split())
        return Grant(self.account, scopes, float(claims["exp"]))


def write_credentials(tokens: Tokens, token_uri: str, directory: Path) -> Path:
    path = directory / "service-account.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(tokens.credentials(token_uri)))
    return path


def _claims(token: str, audience: str | None) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(token, certs=_keys()[1], audience=audience)
    except ValueError as error:
        raise Denied(str(error)) from None
    return claims


_making = threading.Lock()


def _keys() -> tuple[str, str]:
    """Return a key pair (PEM: private, public), the same for every server of a process: making one takes a while."""
    with _making:
        return _new_keys()


@cache
def _new_keys() -> tuple[str, str]:
    # Short on purpose: each client checks its key when it loads it, which takes ten times as long with 2048 bits.
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
