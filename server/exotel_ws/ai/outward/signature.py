"""Sign a request, so that its receiver can tell that this server sent it, and when."""

import hashlib
import hmac
from typing import Final

TIMESTAMP: Final = "X-Exotel-Voicebot-Timestamp"
SIGNATURE: Final = "X-Exotel-Voicebot-Signature"


def sign(secret: str, signed: bytes, now: float) -> dict[str, str]:
    """Return the headers that prove ``signed`` to a receiver who knows ``secret``, as Stripe and Slack do it.

    ``signed`` is the body as it is sent, ``now`` the Unix time in seconds. The signature is ``v1=`` and the HMAC-SHA256 in hex of
    ``TIMESTAMP.BODY``: with the time in it, a receiver can refuse a request that somebody recorded and sends again.
    """
    timestamp = str(int(now))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + signed, hashlib.sha256).hexdigest()
    return {TIMESTAMP: timestamp, SIGNATURE: f"v1={digest}"}
