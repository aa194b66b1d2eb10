"""Address at which Exotel's Passthru applet asks what follows a call."""

from typing import Final

PATH: Final = "/exotel/next"
"""Path before the secret: ``GET /exotel/next/SECRET?CallSid=…``."""
CREDENTIAL: Final = "passthru"
"""Name of the credential with the path's secrets, one a line."""
