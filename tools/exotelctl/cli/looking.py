"""Verbs that look at the server on this host and change nothing."""

from exotelctl.cli.app import CODES, command
from exotelctl.options import DoctorOptions, LogsOptions, StatusOptions, VerifyOptions


@command()
def status(options: StatusOptions) -> int:
    """What serves, what drains, who is on the line.

    Units and generations, port and owner, workers with memory and CPU, live calls, the last deploy.

    Exits 1 where something is down, has failed or does not answer. Without root it says what it could not see.

    \b
    Example:
      exotelctl status --watch
    """
    from exotelctl.status import verb

    return verb.run(options)


@command()
def logs(options: LogsOptions) -> int:
    """One call's story, or the last lines.

    With --call all lines of the call, across workers and generations, those from before its start too.

    Says since when the journal reaches back where something may be missing; exits 1 for a call that it does not know.

    \b
    Example:
      exotelctl logs --call 8b0de6af53bcfdd29e5cb990936df94r
    """
    from exotelctl.logs import verb

    return verb.run(options)


DOCTOR_CODES = (
    "Exit codes: 0 all ok (or nothing to judge), 1 something failed, 2 wrong usage, 3 refused (nothing was looked at), "
    "4 at worst a warning, 5 at worst an unknown: what could not be looked at never counts as ok."
)


@command(epilog=DOCTOR_CODES)
def doctor(options: DoctorOptions) -> int:
    """What is wrong, why, and what to do.

    Looks at ports, units, firewalls, calls and limits, and places a call of a second on loopback. It changes nothing.

    Consequences of a cause that was found are shown as blocked by it. What could not be looked at is unknown, and says why.

    \b
    Example:
      exotelctl doctor --since -2h
    """
    from exotelctl.doctor import verb

    return verb.run(options)


@command(epilog=f"{CODES.removesuffix('.')}, 4 nothing is deployed to the host.")
def verify(options: VerifyOptions) -> int:
    """Prove that a host takes calls.

    Judges what the host saw of itself, carries out the protocol test and places a call. Tells what was proven, up to the first
    step that fails: what comes after that follows from it. ansible-playbook playbooks/verify.yml types it.

    \b
    Example:
      exotelctl verify /tmp/what-the-host-told --host voicebot-1.example
    """
    from exotelctl.verify import verb

    return verb.run(options)
