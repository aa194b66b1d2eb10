"""Check the host beneath the server: its clock, its file systems, its journal."""

import time
from datetime import datetime
from typing import Final

from exotel_phone.command import command
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.host import FileSystem
from exotelctl.doctor.facts.log import HOST_JOURNALD, WORKERS_JOURNALD, Log
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn

_CLOCK_S: Final = 30.0
_FULL: Final = 0.05
_LEAST_BYTES: Final = 100 << 20
_SMALL_BYTES: Final = 2 << 30
"""Below this size a file system is full by its share alone: of 64 MB nobody can ask for 100 MB free."""
_INODES: Final = 0.02
_JOURNAL_SLACK_S: Final = 60.0
_OLDER: Final = "the exotelctl of this host is of a release that does not look"
_CONFIGS: Final = {HOST_JOURNALD: "systemd/journald.conf", WORKERS_JOURNALD: "systemd/journald@exotel-ws.conf"}


@check("clock", "host", of="clock")
def clock(facts: Facts) -> Finding:
    """Claim: the clock is right. Does not prove: more than half a minute's accuracy, and from the host alone only that a time
    service steers it.
    """
    seen = facts.clock.get()
    remedy = Remedy(
        "Logs of two hosts and Exotel's own times do not match until a time service runs.",
        ("timedatectl", "chronyc tracking"),
        ("apt-get install systemd-timesyncd", "timedatectl set-ntp true"),
    )
    if facts.outside is not None and facts.outside.value is not None:
        off_s = seen.now - facts.outside.value.at
        if abs(off_s) > _CLOCK_S:
            which = "ahead of" if off_s > 0 else "behind"
            says = f"the host's clock is {duration(abs(off_s))} {which} this machine's, or its facts are that old"
            return fail(says, remedy=remedy)
        return ok(f"within {_CLOCK_S:g} s of this machine's clock")
    if seen.container:
        return skipped(f"in a container ({seen.container}) the clock is the machine's")
    if seen.synchronised is None:
        return unknown("the kernel does not say whether its clock is synchronised")
    if not seen.synchronised:
        return fail("no time service steers this host's clock", "adjtimex: TIME_ERROR", remedy=remedy)
    return ok("the kernel's clock is synchronised")


@check("disk", "host", of="file_systems")
def disk(facts: Facts) -> Finding:
    """Claim: every file system that the server and the journal need has room and may be written. Does not prove: that it stays
    so: a log that grows fills it in hours.
    """
    seen = facts.file_systems.get()
    bad = [(system, why) for system in seen if (why := _short_of(system))]
    if not bad:
        return ok(f"{plural(len(seen), 'file system')} have room", *map(_room, seen))
    system, why = bad[0]
    where = system.paths[0]
    return fail(
        f"{', '.join(system.paths)}: {why}",
        *(f"{', '.join(other.paths)}: {reason}" for other, reason in bad[1:]),
        *(_room(one) for one, _ in bad),
        remedy=Remedy(
            "Without room no deploy, no audit and no journal is written; the calls themselves go on.",
            (
                f"{command('df', '-h', where)}; {command('df', '-i', where)}",
                f"{command('du', '-xh', '--max-depth=2', where)} | sort -h | tail",
            ),
            ("journalctl --vacuum-size=200M", command("mount", "-o", "remount,rw", where, note="after a look at dmesg")),
        ),
    )


def _short_of(system: FileSystem) -> str:
    if system.read_only:
        return "it is read-only"
    if system.size and (system.free < _FULL * system.size or (system.size > _SMALL_BYTES and system.free < _LEAST_BYTES)):
        return f"{system.free >> 20} MiB of {system.size >> 20} MiB free"
    if system.inodes and system.inodes_free < _INODES * system.inodes:
        return f"{system.inodes_free} of {system.inodes} inodes free"
    return ""


def _room(system: FileSystem) -> str:
    return f"{', '.join(system.paths)}: {system.free >> 20} of {system.size >> 20} MiB free"


@check("journal", "host")
def journal(facts: Facts) -> Finding:
    """Claim: the journal is whole for the window, and keeps what is logged now. Does not prove: that every line reached it: a
    server logs without waiting.
    """
    log = facts.log.value
    if log is not None and log.broken:
        return _lost(log)
    calls = facts.calls.get()
    remedy = Remedy(
        "What is missing is lost: judge calls of that time by other means. A journal in /var/log/journal outlives a reboot.",
        ("journalctl --disk-usage", "journalctl --list-boots", "journalctl -t systemd-journald -n 20"),
        ("mkdir -p /var/log/journal && systemctl restart systemd-journald",),
    )
    if calls.suppressed:
        return fail(f"lines were dropped: {calls.suppressed[-1]}", *calls.suppressed[:-1], remedy=remedy)
    if calls.first_entry is None:
        return fail("the journal is empty", remedy=remedy)
    owed = max(calls.begins, calls.first_deploy or _deployed(facts) or calls.begins)
    if calls.first_entry > owed + _JOURNAL_SLACK_S:
        says = f"the journal begins at {_moment(calls.first_entry)}, the window at {_moment(owed)}"
        return fail(says, remedy=remedy)
    if calls.truncated:
        oldest = min((conn.at for conn in calls.connections), default=calls.begins)
        return warn(f"only what came after {_moment(oldest)} was read", remedy=Remedy("Give a shorter --since."))
    if log is None:
        raise NotSeen(f"whether it keeps what is logged now was not seen: {facts.log.missing or _OLDER}", facts.log.needs)
    proof = "this look's own lines are in it" if log.call_sid else "no call could be placed to prove it"
    return ok(f"it reaches back to {_moment(calls.first_entry)}, nothing was suppressed, {proof}")


def _lost(log: Log) -> Finding:
    """Report which journal loses lines, the evidence, and the cure."""
    evidence = [f"{unit}: {state}" for unit, state in log.states]
    if log.call_sid and not log.call_written:
        evidence.append(f"no line of this look's own call {log.call_sid}")
    evidence += [
        f"worker {one.instance} counts {plural(one.calls, 'call')} since {_moment(one.since)}, the journal has none of them"
        for one in log.silent
    ]
    if not log.mark_written:
        evidence.append("the host's journal has not kept the line that this look wrote to it")
    evidence += [f"{unit}: Storage=none" for unit in log.store_nothing]
    whose = {WORKERS_JOURNALD: "the server's", HOST_JOURNALD: "the host's"}
    stopped = [unit for unit, state in log.states if unit in log.broken and state != "active"]
    why = "Storage=none" if set(log.store_nothing) & set(log.broken) else "it is stopped" if stopped else ""
    lost = " and ".join(whose[unit] for unit in log.broken)
    return fail(
        f"lines of now do not get into {lost} journal{f': {why}' if why else ''}",
        *evidence,
        remedy=Remedy(
            "What was logged meanwhile is lost. Start journald where it is stopped; take Storage=none out of its configuration"
            " (journald.conf, journald@exotel-ws.conf and their .d); a restart creates deleted files again. Calls go on.",
            (
                *(command("systemctl", "status", unit) for unit in log.broken),
                *(command("systemd-analyze", "cat-config", _CONFIGS[unit]) for unit in log.broken),
                "df -h /var/log/journal /run/log/journal",
            ),
            tuple(command("systemctl", "restart", unit) for unit in log.broken),
        ),
    )


def _deployed(facts: Facts) -> float | None:
    """Return when the current generation was made; if the audit is gone, no older journal is expected."""
    created = facts.deployment.value.created if facts.deployment.value else ""
    return datetime.fromisoformat(created).timestamp() if created else None


def _moment(at: float) -> str:
    """Return the local time of the machine that judges, with its offset: a bundle may come from elsewhere."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))
