"""Make text from elsewhere (command lines, server answers) fit for a terminal, and hold small formats of the verbs."""


def printable(text: str, limit: int = 200) -> str:
    r"""Return ``text`` with every control, escape and direction character spelled out (``\x1b``), cut at ``limit`` characters."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def duration(seconds: float) -> str:
    """Return ``seconds`` as the two largest units: ``3 d 4 h``, ``12 min 5 s``, ``0.4 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return ``1 listener``, ``2 listeners``; ``nouns`` is a plural that takes more than an s."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


def short_instance(instance: str) -> str:
    """Return a worker's name without its generation's date: ``102807-1c8a7fcd-2``. A shorter one may be that of two workers."""
    return instance.partition("T")[2] or instance
