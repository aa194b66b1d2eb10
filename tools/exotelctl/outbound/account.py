"""Read the account with which Exotel's API is asked: who calls, by which number, and the keys."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final

import msgspec
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.target import Target, parse
from msgspec import Meta, Struct

from exotelctl.keys import bounded

API: Final = "https://api.exotel.com"
"""Exotel's API in Singapore; accounts of Mumbai have https://api.in.exotel.com."""
_MOST_BYTES: Final = 64 * 1024
_FORM: Final = 'It is written as {"sid": "…", "api_key": "…", "api_token": "…", "caller_id": "02012345678", "api": "https://…"}'
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

_Secret = Annotated[str, Meta(max_length=256, pattern=r"^[!-~]+\Z")]


class Account(Struct, frozen=True, forbid_unknown_fields=True):
    """Account of Exotel: ``sid``, key and token are in its API settings, ``caller_id`` is one of its ExoPhones.

    No repr shows key and token.
    """

    sid: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    api_key: _Secret
    api_token: _Secret
    caller_id: Annotated[str, Meta(pattern=r"^\+?[0-9]{6,15}\Z")]
    api: str = API

    def __repr__(self) -> str:
        return f"Account({self.sid!r}, {self.api!r})"

    def target(self) -> Target:
        """Return the address of the API, with key and token as its credential. Raises UsageFault for one that is no API's."""
        address = parse(self.api)
        if not address.secure and address.host not in _LOOPBACK:
            raise UsageFault(f"api is {address.http('')}: key and token would go over the network in the clear: use https://")
        if address.path.strip("/") or address.query or address.credential:
            raise UsageFault(f"api is written as {API}, with neither a path nor a key")
        return dataclasses.replace(address, path="", credential=f"{self.api_key}:{self.api_token}")


def load(file: Path) -> Account:
    """Read an account from a JSON file. Raises Refusal where this user may not, UsageFault for anything else that is wrong."""
    try:
        account = msgspec.json.decode(bounded.read(file, _MOST_BYTES), type=Account)
    except PermissionError:
        raise Refusal(f"{file} may be read by root only: put sudo in front of the command") from None
    except FileNotFoundError:
        raise UsageFault(f"{file} does not exist. Deploy with exotel_ws_account, or name a file by --account. {_FORM}") from None
    except msgspec.DecodeError as error:  # not JSON, or a field that is missing, unknown or malformed
        raise UsageFault(f"{file}: {error}. {_FORM}") from None
    except (OSError, ValueError) as error:
        raise UsageFault(f"{file}: {(error.strerror if isinstance(error, OSError) else None) or error}") from None
    account.target()
    return account
