"""Check that firewalls let calls in and the answers out: the packet filter of this host, and that of Google Cloud."""

import dataclasses

from exotel_phone.command import command

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import OPEN_CLOUD
from exotelctl.doctor.checks.edged import call_port
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.cloud import Cloud
from exotelctl.doctor.facts.firewall import Firewall
from exotelctl.doctor.firewall import iptables, nft
from exotelctl.doctor.firewall.packet import Outcome, Packet, worst
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn


@check("host-firewall", "reach", of="firewall")
def host_firewall(facts: Facts) -> Finding:
    """Claim: no rule of this host's firewall drops, rejects or diverts a call, or the answer to it. Does not prove: that a
    cloud's firewall lets calls in (outside-reach does), nor IPv6, nor rules of eBPF or a bridge.
    """
    seen, port = facts.firewall.get(), call_port(facts)
    if seen.unread:
        return unknown(f"{_there(seen)}, and cannot be read: {seen.unread}", needs=_package(seen.needs))
    if seen.nft_tables is None and not seen.nft:
        return unknown("the kernel does not say whether it has rules")
    outcome = _judge(seen, Packet(port, seen.outside))
    show = Remedy(
        f"Let tcp:{port} in before that rule; keep the rule in the firewall's own files, or it is back after a reboot.",
        ("nft --handle list ruleset", "iptables-save"),
        (
            command("nft", "insert", "rule", "inet", "TABLE", "CHAIN", "tcp", "dport", port, "accept"),
            command("ufw", "allow", f"{port}/tcp", note="where ufw wrote the rules"),
        ),
    )
    if outcome.verdict == "drop":
        return fail(f"tcp:{port} does not get through: {outcome.rule}", outcome.where, remedy=show)
    if outcome.verdict == "depends":
        return unknown(f"tcp:{port}: {outcome.why}: {outcome.rule}", outcome.where, remedy=show)
    if not seen.nft_tables and not seen.legacy_tables:
        return ok("the kernel has no firewall rules")
    return ok(
        f"tcp:{port} gets through", f"{seen.nft_tables} nftables tables, iptables: {', '.join(seen.legacy_tables) or 'none'}"
    )


def _judge(seen: Firewall, packet: Packet) -> Outcome:
    packets = (packet, dataclasses.replace(packet, answer=True))
    return worst(judge for one in packets for judge in (nft.judge(seen.nft, one), iptables.judge(seen.iptables, one)))


def let_through(facts: Facts, port: int) -> Outcome | None:
    """Return what this host's firewall does with a packet to ``port``; None where its rules were not seen."""
    seen = facts.firewall.value
    if seen is None or seen.unread or (seen.nft_tables is None and not seen.nft):
        return None
    return _judge(seen, Packet(port, seen.outside))


def _there(seen: Firewall) -> str:
    tables = "tables of nftables" if seen.nft_tables is None else f"{seen.nft_tables} tables of nftables"
    return f"the kernel has {', '.join(filter(None, [tables, ', '.join(seen.legacy_tables)]))}"


def _package(command: str) -> str:
    return {"nft": "apt-get install nftables", "iptables-save": "apt-get install iptables"}.get(command, command)


@check("cloud-firewall", "reach", of="cloud")
def cloud_firewall(facts: Facts) -> Finding:
    """Claim: Google Cloud's firewall lets callers through to the port of this instance, which runs and has an external address,
    and no rule of ours is left that nobody needs. Does not prove: that the host's own firewall lets callers through, or that the
    applet has this address: outside-reach and public-address do.
    """
    if facts.cloud is None:
        return skipped("nobody looked at a cloud's firewall: ansible-playbook playbooks/doctor.yml does, if gcp_project is set")
    seen = facts.cloud.get()
    left = tuple(f"an earlier edge left rule {rule}, which no ACME authority needs any more" for rule in seen.leftovers)
    evidence = (f"instance {seen.instance} in {seen.zone} has {', '.join(seen.addresses)}", *left, *seen.doubts, *seen.rules)
    if seen.reachable == "yes" and left:
        remedy = Remedy("firewall.yml takes it away.", (f"{OPEN_CLOUD} --check --diff",), (OPEN_CLOUD,))
        return warn(f"{seen.text}, but {left[0]}", *evidence, remedy=remedy)
    if seen.reachable == "yes":
        return ok(seen.text, *evidence)
    find = fail if seen.reachable == "no" else warn if seen.reachable == "partly" else unknown
    return find(seen.text, *evidence, remedy=_cure_of_cloud(seen))


def _cure_of_cloud(seen: Cloud) -> Remedy:
    place = (seen.instance, f"--zone={seen.zone}", f"--project={seen.project}")
    if seen.obstacles:
        return Remedy(
            "Start the instance, or give it an external address; the rules count after that.",
            (command("gcloud", "compute", "instances", "describe", *place),),
        )
    return Remedy(
        "firewall.yml makes the rule that lets callers in. One that comes before it and denies stays: change that one, or give "
        "ours a lower number (gcp_firewall_priority); a policy of the organisation is for whoever owns it.",
        (
            f"{OPEN_CLOUD} --check --diff",
            command("gcloud", "compute", "instances", "network-interfaces", "get-effective-firewalls", *place),
        ),
        (OPEN_CLOUD,),
    )
