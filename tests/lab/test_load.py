"""``exotelctl load`` from the controller against a host of the lab, and completion by the TAB key after a deploy."""

import json
import subprocess
import sys
from typing import Any

from tests.lab.labhost import LabHost


def load(host: LabHost, *options: str) -> tuple[int, str, str]:
    """Run a short load and return its exit code, standard output and standard error."""
    url = f"ws://{host.address}:8765?sample-rate=8000"
    command = [sys.executable, "-m", "exotelctl", "load", url, "--calls", "20", "--ramp", "1", "--seconds", "3", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout, done.stderr


def calls_begun(host: LabHost) -> int:
    """Return how many calls the host has ever had, by its journal."""
    journal = "sudo journalctl --namespace=exotel-ws"
    ask = f"{journal} --sync; {journal} -q EVENT=start -o json --output-fields=CALL_SID"
    return len({sid for line in host.run(ask).stdout.splitlines() if (sid := json.loads(line).get("CALL_SID"))})


def test_a_host_of_the_inventory_is_loaded(oncall: LabHost) -> None:
    before = calls_begun(oncall)
    code, out, errors = load(oncall, "--inventory", str(oncall.inventory), "--json")
    assert out, errors
    found: dict[str, Any] = json.loads(out)
    assert found["calls"] == {"placed": 20, "perfect": 20, "faulty": 0, "dropped": {}, "refused": {}}
    media = found["messages"]["media"]
    assert media["sent"] == media["echoed"] >= 20 * 100
    # On a busy machine the calls are perfect all the same; only the times mean nothing.
    assert found["verdict"] in ("perfect", "unfit")
    assert code == (0 if found["verdict"] == "perfect" else 1)
    left_out = "sudo journalctl --namespace=exotel-ws -q EVENT=bound -o cat -n 20"
    assert calls_begun(oncall) == before + 20, oncall.run(left_out).stdout


def test_a_host_that_no_inventory_names_is_not_loaded(oncall: LabHost) -> None:
    before = calls_begun(oncall)
    code, out, errors = load(oncall)
    assert code == 3
    assert "--i-own-this-server" in errors
    assert out == ""
    assert calls_begun(oncall) == before


def test_bash_on_a_host_completes(oncall: LabHost) -> None:
    """The file that bash-completion looks for offers the verbs of the serving release."""
    script = "/usr/local/share/bash-completion/completions/exotelctl"
    tab = "COMP_WORDS=(exotelctl po); COMP_CWORD=1; _exotelctl_completion exotelctl; echo ${COMPREPLY[*]}"
    shown = oncall.run(f"source {script} && complete -p exotelctl && {tab}").stdout.splitlines()
    assert shown == ["complete -o default -F _exotelctl_completion exotelctl", "port-clean"]
