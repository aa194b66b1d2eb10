"""Duration of `exotelctl logs --call` among 100,000 journal entries, beside `journalctl CALL_SID=…`, in one run.

It fills the journal of the machine it runs on (some 60 MB), so that is a throw-away host with the server on it; a lab host, say:

$ scp benchmarks/logs.py operator@HOST:
$ ssh operator@HOST sudo systemd-run --pipe --wait --quiet -p LogRateLimitIntervalSec=1us python3 /home/operator/logs.py
100000 entries of 3333 calls, 30 lines each; median of 15 calls (lowest-highest)
journalctl CALL_SID=…               4.7 ms (4.2-7.5)
exotelctl logs --call CALL_SID     85.6 ms (77.3-109.0)

With its default rate limit journald drops two thirds of the lines, and 0 does not turn the limit off.
"""

import secrets
import socket
import statistics
import subprocess
import sys
import time

ENTRIES = 100_000
LINES_A_CALL = 30
ROUNDS = 15
JOURNAL = "/run/systemd/journal/socket"
FIELDS = "SYSLOG_IDENTIFIER=exotel-ws\nLOGGER=exotel_ws.call\nPRIORITY=6\n"


def main() -> int:
    """Return 0 if the figures are printed, 1 if a command did not find its call."""
    calls = [secrets.token_hex(16) for _ in range(ENTRIES // LINES_A_CALL)]
    fill(calls)
    subprocess.run(["journalctl", "--sync"], check=True)
    asked = calls[:: len(calls) // ROUNDS][:ROUNDS]
    print(f"{ENTRIES} entries of {len(calls)} calls, {LINES_A_CALL} lines each; median of {ROUNDS} calls (lowest-highest)")
    for name, command in (
        ("journalctl CALL_SID=…", ["journalctl", "--quiet", "--no-pager", "--output=cat", "CALL_SID={}"]),
        ("exotelctl logs --call CALL_SID", ["exotelctl", "logs", "--call", "{}"]),
    ):
        times = [milliseconds([word.format(call) for word in command]) for call in asked]
        print(f"{name:<32} {statistics.median(times):6.1f} ms ({min(times):.1f}-{max(times):.1f})", flush=True)
    return 0


def fill(calls: list[str]) -> None:
    """Log as the server does: the lines before the start of a call carry only the connection's id."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.connect(JOURNAL)
        for call in calls:
            connection = f"conn_{secrets.token_hex(6)}"
            for line in range(LINES_A_CALL):
                event = "open" if line < 3 else "start" if line < 9 else "media" if line < 28 else "close"
                ids = f"CONN_ID={connection}\n" + (f"CALL_SID={call}\nSTREAM_SID={call[::-1]}\n" if line > 5 else "")
                journal.send(f"MESSAGE=[{connection}] line {line}\nEVENT={event}\n{FIELDS}{ids}".encode())


def milliseconds(command: list[str]) -> float:
    """Return the duration of the command in ms. End the run if it does not show a call's lines."""
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    took = (time.perf_counter() - began) * 1000
    lines = len(done.stdout.splitlines())
    if done.returncode != 0 or lines < LINES_A_CALL - 6:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}, {lines} lines")
    return took


if __name__ == "__main__":
    sys.exit(main())
