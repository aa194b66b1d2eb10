"""Spellings of a key, as logs and files might have it."""

import base64


def spellings(credential: str) -> list[str]:
    """Return what to search for to find ``user:token`` or the token alone: as it is, and in Base64 wherever it begins there.

    Base64 spells a text in one of three ways, by its place; of each, what does not depend on the neighbours is returned.
    """
    token = credential.rpartition(":")[2].encode()
    found = [token.decode()]
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + token)
        certain = coded[(before * 8 + 5) // 6 : (before + len(token)) * 8 // 6].decode()
        found += [certain, certain.replace("+", "-").replace("/", "_")]
    return sorted(set(found))
