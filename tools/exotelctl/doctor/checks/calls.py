"""Check calls, told apart by how far they got. This tool's own simulated calls are left out."""

from collections.abc import Sequence

from exotel_phone.command import command, journal
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import ROLL_BACK, TEST_HERE, URL, of_last_hour
from exotelctl.doctor.checks.grade import counted, grade, graded, times
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.call import Echo
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.journal import Conn
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped

_SHORT_MS = 3000
_BY_US = frozenset({"closed_by_server", "no_media"})
_SEVERAL = 3
_MUTE_S = 5.0


def nothing() -> Finding:
    """Skip a window without calls, which is no fault."""
    return skipped("no call in the window: nothing to judge")


def shown(conn: Conn) -> str:
    """Describe a connection as evidence."""
    how = f"{conn.ended}, code {conn.code}, {conn.duration_ms / 1000:.1f} s" if conn.ended else "still open"
    media = f"{conn.frames_in} frames in, {conn.frames_out} out"
    return f"{conn.id} from {conn.remote or '?'}, call {conn.call_sid or '-'}: {how}, {media}"


def story(conn: Conn) -> str:
    """Return the command that shows one call's lines."""
    return logs_of(conn.call_sid) if conn.call_sid else journal(f"CONN_ID={conn.id}")


def logs_of(sid: str) -> str:
    """Return the same by the call's id. The caller chose it, and it is typed as root, so it is quoted."""
    return command("exotelctl", "logs", "--call", sid)


def share(bad: Sequence[Conn], among: Sequence[Conn], says: str, evidence: Sequence[str], remedy: Remedy) -> Finding:
    """Return what is ``bad`` as a failure or a warning, by its share of the connections ``among`` which it is."""
    return graded(times(bad), times([conn for conn in among if conn not in bad]), says, evidence, remedy)


@check("no-start", "calls")
def no_start(facts: Facts) -> Finding:
    """Claim: every WebSocket that opened became a call. Does not prove: that calls which never reached this host would."""
    calls = facts.calls.get()
    turned_away = {refused.conn_id for refused in calls.refusals}
    bad = [conn for conn in calls.outside if conn.ended == "no_start" and conn.id not in turned_away]
    if not bad:
        return ok(f"{plural(len(calls.started), 'call')} started") if calls.outside else nothing()
    return graded(
        times(bad),
        times(calls.started),
        f"{counted(len(bad), len(calls.outside), 'connection')} opened a WebSocket and sent no start",
        [shown(bad[-1])],
        Remedy(
            "In the flow, use the Voicebot applet (two-way), not the Stream applet, and compare the path in its URL.",
            (story(bad[-1]), URL),
        ),
    )


@check("no-media", "calls")
def no_media(facts: Facts) -> Finding:
    """Claim: every call that started carried audio to us. Does not prove: that the audio was speech."""
    calls = facts.calls.get()
    closed = [conn for conn in calls.started if conn.closed]
    bad = [conn for conn in closed if conn.frames_in == 0]
    live = [call for worker in facts.workers.value or () for call in worker.calls if not call.own and call.age_s > _MUTE_S]
    mute = [call for call in live if call.frames_in == 0]
    if not closed and not mute:
        return nothing()
    if not bad and not mute:
        return ok(f"{plural(len(closed), 'call')} carried audio")
    good = [conn for conn in closed if conn.frames_in]
    evidence = [f"call {call.call_sid}, live for {duration(call.age_s)}: no frame yet" for call in mute[:3]]
    sid = mute[0].call_sid if mute else ""
    return graded(
        [*times(bad), *(facts.collected_at for _ in mute)],
        times(good),
        f"{counted(len(bad) + len(mute), len(closed) + len(mute))} started and carried no media",
        [*evidence, *map(shown, bad[-1:])],
        Remedy(
            "Start came, audio did not: the leg was not answered, or the applet streams nothing. Ask Exotel with the call's id.",
            (logs_of(sid) if sid else story(bad[-1]), "exotelctl trace"),
        ),
    )


@check("no-echo", "calls", of="loopback")
def no_echo(facts: Facts) -> Finding:
    """Claim: a caller hears what the mode promises, the echo or a bot: in a simulated call, and in the calls of the window. Does
    not prove: how it sounds on a phone, nor another worker than the one that took the simulated call.
    """
    bot = facts.deployment.get().mode == "ai"
    started = facts.calls.value.started if facts.calls.value else ()
    mute = [conn for conn in started if conn.closed and conn.frames_in and not conn.frames_out]
    good = [conn for conn in started if conn.frames_out]
    remedy = Remedy(
        "The server takes audio and sends none, or other audio: the release is at fault.",
        ("exotelctl call 'ws://127.0.0.1:8765?sample-rate=8000'", *(story(conn) for conn in mute[-1:])),
        (ROLL_BACK,),
    )
    if mute and grade(times(mute), times(good)) == "fail":
        says = f"{counted(len(mute), len(mute) + len(good))} got audio and sent none back"
        return fail(says, shown(mute[-1]), remedy=remedy)
    echo = _echo(facts)
    if wrong := _wrong(echo, bot=bot):
        return fail(wrong, *_counts(echo), remedy=remedy)
    if bot:
        return ok(f"the bot spoke in a simulated call, {plural(echo.frames_received, 'message')}", *_counts(echo))
    return ok(f"a call of {echo.frames_sent} frames came back bit-exact, {echo.round_trip_ms:.1f} ms", *_counts(echo))


def _echo(facts: Facts) -> Echo:
    """Return the simulated call on loopback. Raises NotSeen if none could be placed."""
    answers = facts.loopback.get()
    if answers.echo is None:
        raise NotSeen("no call could be placed: the port does not answer")
    if answers.echo.trouble:
        raise NotSeen(f"no call could be placed: {answers.echo.trouble.cause}")
    return answers.echo


def _wrong(echo: Echo, *, bot: bool) -> str:
    """Say what was wrong with the simulated call, "" for nothing: a bot has to speak, any other mode to echo bit-exact."""
    if echo.closed_early:
        return f"the simulated call was cut: {echo.closed_early}"
    if not echo.bytes_received:
        return "the bot said nothing in the simulated call" if bot else "the simulated call got no audio back"
    if not bot and echo.frames_lost:
        return f"of the simulated call {plural(echo.frames_lost, 'frame')} did not come back"
    return "" if bot or echo.bit_exact else f"the echo differs from what was sent, from byte {echo.difference} on"


def _counts(echo: Echo) -> tuple[str, ...]:
    return (f"sent {echo.frames_sent} frames, received {echo.frames_received}, lost {echo.frames_lost}",)


@check("provider", "calls")
def provider(facts: Facts) -> Finding:
    """Claim: speech recognition, language model and voice did what calls asked of them. Does not prove: that the answers were
    good ones, nor that a provider no call has used would answer.
    """
    calls = facts.calls.get()
    if facts.deployment.get().mode != "ai":
        return skipped("echo mode asks no provider")
    asked = [conn for conn in calls.connections if conn.started]
    bad = [conn for conn in asked if conn.failures]
    if not bad:
        return ok(f"{plural(len(asked), 'call')} met no failure") if asked else nothing()
    return share(
        bad,
        asked,
        f"in {counted(len(bad), len(asked))} a provider failed: {bad[-1].failures[-1]}",
        [*bad[-1].failures[:-1], shown(bad[-1])],
        Remedy(
            "The key, the quota, the address or the provider itself: its own words are above. Where exotel_ws_ai names another "
            "service for that stage, it answered; else the caller heard the apology.",
            (story(bad[-1]), of_last_hour("EVENT=provider_error")),
            ("correct exotel_ws_ai or exotel_ws_ai_keys, then ansible-playbook deploy.yml -i INVENTORY",),
        ),
    )


@check("ended-report", "calls")
def ended_report(facts: Facts) -> Finding:
    """Claim: what became of the calls was told to ai.ended_url. Does not prove: that the system there made use of it."""
    calls = facts.calls.get()
    if facts.deployment.get().mode != "ai":
        return skipped("echo mode reports no calls")
    if not calls.reports:
        return skipped("no call was reported in this window: ai.ended_url is not set, or no call has ended")
    sent = [one for one in calls.reports if one.outcome == "sent"]
    bad = [one for one in calls.reports if one.outcome != "sent"]
    if not bad:
        return ok(f"{plural(len(sent), 'call')} reported to ai.ended_url")
    remedy = Remedy(
        "The reason is that of the system at ai.ended_url, of the way there, or of the spool's disk. What failed waits on disk "
        "and is sent again by itself; what was dropped is gone.",
        (of_last_hour("EVENT=ended_report"), command("ls", "-l", "/var/lib/exotel-ws/ended")),
        ("correct ended_url of exotel_ws_ai, or spool, then ansible-playbook deploy.yml -i INVENTORY",),
    )
    dropped = [one for one in bad if one.outcome == "dropped"]
    if dropped:
        return fail(f"what became of calls is lost to ai.ended_url: {dropped[-1].reason}", remedy=remedy)
    says = f"reports to ai.ended_url failed {plural(len(bad), 'time')}: {bad[-1].reason}"
    return graded([one.at for one in bad], [one.at for one in sent], says, (), remedy)


@check("wrong-fields", "calls", of="loopback")
def wrong_fields(facts: Facts) -> Finding:
    """Claim: every message of the server is one that Exotel can use. Does not prove: more than a call of a second shows;
    exotelctl protocol-test looks at all messages.
    """
    echo = _echo(facts)
    if echo.fault_count:
        return fail(
            f"{plural(echo.fault_count, 'message')} that Exotel cannot use: {echo.faults[0]}",
            *echo.faults[1:3],
            remedy=Remedy(
                "Exotel knows stream_sid, in snake case, at the top of each message; anything else is silence.",
                (TEST_HERE,),
                (ROLL_BACK,),
            ),
        )
    return ok(f"{plural(echo.frames_received, 'message')} of the simulated call were as documented")


@check("short-calls", "calls")
def short_calls(facts: Facts) -> Finding:
    """Claim: calls are not cut right after they begin. Does not prove: that callers stayed as long as they wanted."""
    calls = facts.calls.get()
    closed = [conn for conn in calls.started if conn.closed]
    bad = [conn for conn in closed if conn.duration_ms < _SHORT_MS or conn.ended in _BY_US]
    if not closed:
        return nothing()
    if len(bad) < _SEVERAL:
        return ok(f"{counted(len(bad), len(closed))} shorter than {_SHORT_MS // 1000} s or closed by us", *map(shown, bad))
    by_us = [conn for conn in bad if conn.ended in _BY_US]
    return share(
        bad,
        closed,
        f"{counted(len(bad), len(closed))} ended within {_SHORT_MS // 1000} s, {len(by_us)} of them closed by us",
        [shown(conn) for conn in bad[-3:]],
        Remedy(
            "Where we closed, the code says why (1008 protocol, credential or no media, 1011 a fault of ours, 1013 full). "
            "Where the other side did, look at the flow: the applet's own time limit, a hang-up after the greeting.",
            (story(bad[-1]), "exotelctl logs --errors --since -1h"),
        ),
    )


@check("lost-calls", "calls")
def lost_calls(facts: Facts) -> Finding:
    """Claim: calls end with stop, not by a broken connection. Does not prove: that both sides were heard until then."""
    calls = facts.calls.get()
    closed = [conn for conn in calls.started if conn.closed]
    bad = [conn for conn in closed if conn.ended == "no_stop"]
    if not bad:
        return ok(f"{plural(len(closed), 'call')} ended in order") if closed else nothing()
    return share(
        bad,
        closed,
        f"{counted(len(bad), len(closed))} broke off without stop (1006)",
        [shown(conn) for conn in bad[-3:]],
        Remedy(
            "The network, a proxy's idle timeout or a leg of Exotel's broke. If all broke at one moment, a process or a "
            "firewall between was restarted.",
            (story(bad[-1]), "exotelctl logs --event close --since -1h"),
        ),
    )


@check("encoding", "calls")
def encoding(facts: Facts) -> Finding:
    """Claim: the audio of calls is in the encoding that start names, and the bot can decode it. Does not prove: that it was
    understood.
    """
    calls = facts.calls.get()
    if facts.deployment.get().mode != "ai":
        return skipped("an echo sends back what comes, in any encoding")
    bad = [conn for conn in calls.started if {"unsupported_encoding", "encoding_mismatch"} & set(conn.faults)]
    if not bad:
        return ok(f"{plural(len(calls.started), 'call')} in an encoding that the bot decodes") if calls.started else nothing()
    refused = [conn for conn in bad if "unsupported_encoding" in conn.faults]
    last = (refused or bad)[-1]
    if refused:
        what = f"{counted(len(refused), len(calls.started))} closed (1003), because the bot can't decode their audio"
    else:
        what = f"{counted(len(bad), len(calls.started))}: start says one encoding, the audio has another"
    return share(
        bad,
        calls.started,
        what,
        [f"{shown(last)}; {', '.join(last.faults)}"],
        Remedy(
            "Exotel streams 16-bit PCM; the bot decodes µ-law and A-law too, and goes by the audio where start says another. "
            "What sends something else stands between, or is no Exotel: the line of the fault says what it named.",
            ("exotelctl logs --event fault --since -1h", story(last)),
        ),
    )


@check("sample-rate", "calls")
def sample_rate(facts: Facts) -> Finding:
    """Claim: the rate that the URL asks for is the rate of the stream. Does not prove: the pitch: only an ear, or exotelctl call
    --out, does.
    """
    calls = facts.calls.get()
    bad = [conn for conn in calls.started if {"rate_mismatch", "unsupported_rate"} & set(conn.faults)]
    if not calls.started:
        return nothing()
    if not bad:
        rates = sorted({conn.rate for conn in calls.started if conn.rate})
        return ok(f"{plural(len(calls.started), 'call')} at {' and '.join(rates) or 'an unsaid number of'} Hz, as asked")
    last = bad[-1]
    asked = last.rate_asked or "no rate"
    return share(
        bad,
        calls.started,
        f"{counted(len(bad), len(calls.started))}: the URL asks for {asked}, the stream has {last.rate} Hz",
        [f"{shown(last)}; {', '.join(last.faults)}"],
        Remedy(
            "Set sample-rate in the applet's URL to 8000, 16000 or 24000, and to what the flow streams; "
            "the server follows the stream.",
            ("exotelctl url --rate 8000", story(last)),
        ),
    )
