"""Check that Google Cloud's firewall lets calls in, by what the controller found."""

from exotel_phone.command import command

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.cloud import Cloud
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn


@check("cloud-firewall", "reach", of="cloud")
def cloud_firewall(facts: Facts) -> Finding:
    """Claim: Google Cloud's firewall lets callers through to the port of this instance, which runs and has an external address.
    Does not prove: that the host's own firewall does, or that the applet has this address: outside-reach and public-address do.
    """
    if facts.cloud is None:
        return skipped("nobody looked at a cloud's firewall: ansible-playbook playbooks/doctor.yml does, if gcp_project is set")
    seen = facts.cloud.get()
    evidence = (f"instance {seen.instance} in {seen.zone} has {', '.join(seen.addresses)}", *seen.doubts, *seen.rules)
    if seen.reachable == "yes":
        return ok(seen.text, *evidence)
    if seen.reachable == "no":
        return fail(seen.text, *evidence, remedy=_cure(seen))
    if seen.reachable == "partly":
        return warn(seen.text, *evidence, remedy=_cure(seen))
    return unknown(seen.text, *evidence, remedy=_cure(seen))


def _cure(seen: Cloud) -> Remedy:
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
            "ansible-playbook firewall.yml -i INVENTORY --check --diff",
            command("gcloud", "compute", "instances", "network-interfaces", "get-effective-firewalls", *place),
        ),
        ("ansible-playbook firewall.yml -i INVENTORY",),
    )
