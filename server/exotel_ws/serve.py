"""Run a worker in the foreground or under systemd, from its sockets to its last call."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
from pathlib import Path

from exotel_ws import engines, files, modes, sockets, systemd
from exotel_ws.admission.log_budget import StrangerFilter
from exotel_ws.ours import TestCalls
from exotel_ws.server import VoicebotServer
from exotel_ws.settings import Settings

log = logging.getLogger("exotel_ws.server")


def serve(
    settings: Settings, *, instance: str, admin_socket: Path | None, metrics_dir: Path | None, key_usage: Path | None = None
) -> int:
    """Serve until SIGTERM or SIGINT, then drain. SIGQUIT, or a second SIGINT, closes the calls at once. Return the exit code.

    Raises OSError if a socket can't be bound, `SettingsError` if credentials are missing.
    """
    files.lift_limit()
    listeners = systemd.inherited_sockets()
    inherited = bool(listeners)
    if not inherited:
        listeners = sockets.bind(settings.host, settings.port)
    admin = sockets.bind_admin(admin_socket) if admin_socket else None
    try:
        test_calls = TestCalls.of_host(admin_socket.parent) if admin_socket else None
        outcomes = admin_socket.parent / "outcomes" if admin_socket else None
        serving = _run(settings, listeners, admin, instance, metrics_dir, test_calls, key_usage, outcomes, inherited=inherited)
        return engines.run(settings.engine, serving)
    finally:
        if admin_socket:
            admin_socket.unlink(missing_ok=True)


async def _run(
    settings: Settings,
    listeners: list[sockets.Socket],
    admin: sockets.Socket | None,
    instance: str,
    metrics_dir: Path | None,
    test_calls: TestCalls | None,
    key_usage: Path | None,
    outcomes_dir: Path | None,
    *,
    inherited: bool,
) -> int:
    server = VoicebotServer(
        settings,
        instance=instance,
        metrics_dir=metrics_dir,
        pid=os.getpid(),
        test_calls=test_calls,
        key_usage=key_usage,
        outcomes_dir=outcomes_dir,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(StrangerFilter(server.log_budget))
    drain, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(drain, hurry)
    await server.start(listeners, admin, shared=inherited)
    # Objects loaded by now stay: the collector must not traverse them in the middle of a call.
    gc.collect()
    gc.freeze()
    background = [asyncio.create_task(server.tick()), asyncio.create_task(_watchdog())]
    systemd.notify(f"READY=1\nSTATUS=Serving {settings.mode} calls")
    _announce(settings, listeners, to_a_person=not inherited)
    await drain.wait()
    systemd.notify("STOPPING=1\nSTATUS=Draining: live calls go on to their end")
    cut = await _drain(server, hurry)
    for task in background:
        task.cancel()
    log.info("🏁 Drained, %s", "every call ended by itself" if not cut else f"{cut} connection(s) were closed")
    return 0


def _on_signals(drain: asyncio.Event, hurry: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        (hurry if drain.is_set() else drain).set()

    def quit_now() -> None:
        hurry.set()
        drain.set()

    loop.add_signal_handler(signal.SIGTERM, drain.set)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGQUIT, quit_now)


async def _drain(server: VoicebotServer, hurry: asyncio.Event) -> int:
    draining = asyncio.create_task(server.drain())
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if draining.done():
        return draining.result()
    draining.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await draining
    return await server.close()


async def _watchdog() -> None:
    """Tell systemd that the loop still runs; if it hangs, systemd kills this worker and starts another."""
    interval_s = systemd.watchdog_interval_s()
    while interval_s:
        systemd.notify("WATCHDOG=1")
        await asyncio.sleep(interval_s)


def _announce(settings: Settings, listeners: list[sockets.Socket], *, to_a_person: bool) -> None:
    port = listeners[0].getsockname()[1]
    host = settings.host if settings.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    url = settings.public_url or f"ws://{address}"
    lines = [f"✅ Exotel {modes.find(settings.mode).title} running!", f"   WebSocket URL: {url}"]
    if to_a_person:
        lines += [
            f"   Health Check: http://{address}/health",
            "",
            "📝 Configure in Exotel VoiceBot applet:",
            f"   {url}?sample-rate=8000",
            "",
            "🔍 Waiting for Exotel connections...",
        ]
    for line in lines:
        log.info("%s", line)
