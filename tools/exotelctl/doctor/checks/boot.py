"""Check that the host is meant to serve, and would serve after a reboot."""

from exotel_phone.command import command

from exotelctl import boot as units_at_boot
from exotelctl.doctor.checks.check import check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, warn

_DEPLOY = "ansible-playbook deploy.yml -i INVENTORY"


@check("maintenance", "units", of="deployment")
def maintenance(facts: Facts) -> Finding:
    """Claim: nobody has taken this host out of service on purpose. Does not prove: that it serves: unit-down does."""
    said = facts.deployment.get().maintenance
    if not said:
        return ok("the host is meant to serve")
    remedy = Remedy(
        "Somebody did this on purpose: ask them. No new call gets in, after a reboot neither.",
        ("exotelctl status",),
        ("exotelctl maintenance off",),
    )
    return warn(f"the host is {said}", remedy=remedy)


@check("boot", "units", of="deployment")
def boot(facts: Facts) -> Finding:
    """Claim: the socket and every worker start at the next boot. Does not prove: that they come up: only a boot does."""
    deployment = facts.deployment.get()
    if not deployment.generation or deployment.enabled is None:
        return skipped("it was not looked at" if deployment.generation else "nothing is deployed on this host")
    if deployment.maintenance:
        return skipped("in maintenance nothing is to start at boot")
    missing = units_at_boot.missing(deployment.generation, len(deployment.instances), deployment.enabled)
    if not missing:
        return ok(f"{len(deployment.instances) + 1} units are enabled")
    remedy = Remedy(
        "Somebody disabled units: the next boot leaves calls without them. Enabling changes nothing now; a deploy does it too.",
        (command("systemctl", "enable", *missing), _DEPLOY),
    )
    return fail(f"not enabled, so not started at the next boot: {', '.join(missing)}", remedy=remedy)
