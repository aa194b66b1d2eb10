"""Verbs that change something on this host. Each says what it is about to do, and to whom, before it does it."""

from exotelctl.cli.app import command
from exotelctl.options import MaintenanceOptions, PortCleanOptions, ResetOptions, RestartOptions


@command("port-clean")
def port_clean(options: PortCleanOptions) -> int:
    """Free ports from zombies.

    Says who holds each and why, asks, then SIGTERM, a wait, SIGKILL, and proof that the port is free, on IPv4 and IPv6.

    On a terminal it asks, once for all ports. Elsewhere it acts only with --yes; without, it prints the plan and exits 3.
    Each port is judged on its own; the exit code is the highest. --force ends no worker of ours that reports live calls.

    \b
    Example:
      exotelctl port-clean --port 8765 --dry-run
      exotelctl port-clean --port 8765 --port 8009
    """
    from exotelctl.port import verb

    return verb.run(options)


@command()
def restart(options: RestartOptions) -> int:
    """Start what serves anew, without cutting a call.

    The same release, settings, credentials and unit files become a new generation, which is tested, started and proven healthy
    beside the old one and then takes over; the old one finishes its calls. When anything fails the old one goes on serving.
    Waits for no call: it takes a few seconds.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it says what it would do and exits 3.

    \b
    Example:
      exotelctl restart --yes
    """
    from exotelctl import restart as verb

    return verb.run(options)


@command()
def reset(options: ResetOptions) -> int:
    """End everything, clear the port, start again: the last resort. It cuts live calls.

    Says how many calls of which generations it cuts, and who else is on the port and is ended. Then it stops the socket and
    all generations, clears the port, proves by binding it that nothing listens, starts the current generation again, and
    verifies it by a protocol test and a call. To change nothing for callers use restart instead.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it prints the plan and exits 3. Interrupted or failed,
    it says what state the host is in and which command brings it back; it may be run again.

    \b
    Example:
      exotelctl reset --drain 60
    """
    from exotelctl.reset import verb

    return verb.run(options)


@command()
def maintenance(options: MaintenanceOptions) -> int:
    """Take this host out of service; bring it back.

    With on, new calls are refused and nothing starts at boot; live calls go on to their end. status and doctor say so instead
    of calling it a fault; restart, reset, deploy.yml and rollback.yml refuse to bring the host back unasked. With off, what
    served before serves again.

    \b
    Example:
      exotelctl maintenance on --reason "disk swap until 22:00"
      exotelctl maintenance off
    """
    from exotelctl import maintenance as verb

    return verb.run(options)
