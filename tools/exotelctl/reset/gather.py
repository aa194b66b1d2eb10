"""Gather the facts of a reset: from systemd, the workers, and every process on the ports."""

from collections.abc import Iterable, Sequence

from ansible_collections.exotel.voicebot.plugins.module_utils import facts as engine
from ansible_collections.exotel.voicebot.plugins.module_utils.connections import established
from ansible_collections.exotel.voicebot.plugins.module_utils.instance import calls_live
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, Paths, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import Systemd
from exotel_phone.exits import Refusal
from exotel_phone.text import printable

from exotelctl.port import gather as port_gather
from exotelctl.port.facts import PortFacts
from exotelctl.port.plan import Decision, is_of_us
from exotelctl.port.plan import plan as plan_port
from exotelctl.reset.facts import Facts, Port, Worker


def gather(paths: Paths, systemd: Systemd, more_ports: Sequence[int] = ()) -> Facts:
    """Return the facts of this moment, of the call port and ``more_ports``. Raises Refusal if nothing was ever deployed."""
    host = engine.gather(paths, systemd)
    if host.serving is None:
        raise Refusal("nothing is deployed to this host, so there is nothing to reset: ansible-playbook deploy.yml -i INVENTORY")
    if host.maintenance:
        raise Refusal(f"this host is {host.maintenance}. Bring it back: exotelctl maintenance off")
    call_port = int(host.serving.content.listen.rpartition(":")[2])
    return Facts(
        serving=host.serving,
        socket_live=host.socket.live,
        workers=tuple(workers(paths, systemd, host, call_port)),
        failed=tuple(_failed(host)),
        ports=tuple(on_port(port_gather.gather(port, thorough=True)) for port in dict.fromkeys((call_port, *more_ports))),
    )


def workers(paths: Paths, systemd: Systemd, host: HostFacts, call_port: int) -> Iterable[Worker]:
    """Return every live instance, of whatever generation."""
    for name in host.live(sorted(host.instances)):
        says = calls_live(paths.admin_socket(name))
        calls = established(systemd.main_pid(unit(name)), call_port) if says is None else says
        yield Worker(name, host.instances[name].active, calls, says is not None)


def on_port(facts: PortFacts) -> Port:
    """Return who is on a port besides our own units."""
    others = [decision for decision in plan_port(facts, force=False).decisions if not is_of_us(decision.holder, facts)]
    hindrances = [
        printable(f"pid {other.holder.pid} ({other.holder.name}): {other.why}{_use(other)}", 400)
        for other in others
        if other.action == "refuse"
    ]
    hindrances += [f"{listener.shown} is held by no process that can be seen" for listener in facts.ownerless]
    return Port(facts.port, tuple(other for other in others if other.action == "end"), tuple(hindrances))


def _failed(host: HostFacts) -> Iterable[str]:
    if host.socket.active == "failed":
        yield SOCKET
    yield from (unit(name) for name, state in sorted(host.instances.items()) if state.active == "failed")


def _use(decision: Decision) -> str:
    return f"; use: {decision.instead}" if decision.instead else ""
