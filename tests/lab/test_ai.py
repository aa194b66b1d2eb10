"""AI mode on a host whose network is gone: deployed, spoken with, interrupted, deployed again in a call, rolled back."""

import asyncio
import base64
import http.client
import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from exotel_phone.talk.call import Call
from exotel_phone.talk.caller import Caller
from exotel_phone.target import parse
from rapidfuzz import fuzz

from tests.lab import metadata, speaking
from tests.lab.labhost import REPO, HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.speaking import presses, says
from tests.lab.systems import Systems
from tests.providers.fakes.openai import ANSWER, Chat
from tests.providers.fakes.server import KEY

SPEC = HostSpec("exo-a40", "bookworm", "198.18.65.140")
HOURS = "We are open from nine to six, Monday to Saturday."
OTHER_HOURS = "We open at noon, and only on Sundays."
ORDER = "Your order is on its way and should arrive tomorrow."
NOT_UNDERSTOOD = "Sorry, I did not get that."
PATIENCE = ("One moment, please.", "I am sorry, it takes a little longer.")
GOODBYE = "Thank you for calling. Goodbye!"
QUESTION = "What are your opening hours?"
SECRET = "a-key-of-the-lab-that-nobody-may-see"
ACCOUNT = {
    "sid": "acmevoice1",
    "api_key": "k3y",
    "api_token": f"{SECRET}-either",
    "caller_id": "02012345678",
    "api": "https://exotel",
}
ACCOUNT_FILE = "/etc/exotel-ws/exotel-account.json"
# The only link left leads to the lab's own machine, for SSH and the callers. Nothing else is reachable, and no name resolves.
CUT = "sudo ip route del default; echo nameserver 192.0.2.53 | sudo tee /etc/resolv.conf"
AI = {"record": {"transcripts": True}}
SETTINGS = {"exotel_ws_mode": "ai", "exotel_ws_workers": 1, "exotel_ws_ai": AI}
BY_KEYS = """
greeting: Welcome.
fallback: [Sorry.]
slots:
  order: {kind: number, digits: 4, ask: "Which order?", read_back: "{order}?"}
intents:
  status:
    examples: [where is my order]
    dtmf: 1
    needs: [order]
    tool: look_up
    say: I will look.
    answer: "It is {status}."
    otherwise: I can not look.
  agent: {examples: [an agent], dtmf: 0, say: Connecting., then: transfer}
  bye: {examples: [goodbye], dtmf: 9, say: Goodbye., then: hang_up}
"""
OWN_KEYS = {"passthru": "of-the-passthru-applet", "look-up-signing": "of-the-tool", "ended": "of-the-report"}


class Model(Chat):
    """Language model on the lab's own machine, to which a host of the lab has a link. It wants `KEY`."""

    host = "198.18.65.1"


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """Copy this tree as it is now."""
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as directory:
        yield copy_of_tree(Path(directory))


@dataclass
class Deployed:
    """Host in AI mode, and the result of its deploy."""

    host: LabHost
    tree: Path
    first: Play

    @property
    def url(self) -> str:
        return f"ws://{self.host.address}:8765?sample-rate={speaking.RATE}"

    def deploy(self, **settings: object) -> Play:
        return _deploy(self.host, self.tree, **settings)

    @property
    def generation(self) -> str:
        return Path(self.host.run("readlink /etc/exotel-ws/current").stdout.strip()).name

    @property
    def unit(self) -> str:
        return f"exotel-ws@{self.generation}-1.service"

    def links(self) -> list[str]:
        """Return the network links of the worker."""
        pid = self.host.run(f"systemctl show -P MainPID {self.unit}").stdout.strip()
        return re.findall(r"^\w+", self.host.run(f"sudo nsenter --target {pid} --net ip -brief link").stdout, re.MULTILINE)

    def calls(self, keys: list[str], query: str = "") -> Call:
        """Call, and press each of ``keys`` once the bot has said what it has to."""
        script = [presses(each) for each in keys]
        return place(partial(Caller, parse(self.url + query), speaking.RATE, script, strip_query=True, barge_in_s=None))

    def what_follows(self, call: Call) -> int:
        """Ask as Exotel's Passthru applet does; return the status."""
        asking = http.client.HTTPConnection(self.host.address, 8765, timeout=10)
        try:
            asking.request("GET", f"/exotel/next/{OWN_KEYS['passthru']}?CallSid={call.ids.call_sid}")
            return asking.getresponse().status
        finally:
            asking.close()

    def answer(self, question: str) -> str:
        """Return all that the bot says in a call with this one question, from the server's transcript.

        Call again, twice at most, if the bot only asked for patience: on a busy machine this caller takes that for the answer.
        """
        for _ in range(3):
            asked = [says(question)]
            call = place(partial(Caller, parse(self.url), speaking.RATE, asked, strip_query=False, barge_in_s=None))
            assert_kept_to_the_protocol(call)
            said = " ".join(event["text"] for event in transcript(self.host, call)["bot"])
            if not said.endswith(PATIENCE):
                break
        return said


def _deploy(host: LabHost, tree: Path, **settings: object) -> Play:
    variables = json.dumps({**SETTINGS, **settings, "exotel_ws_source": str(tree)})
    return play("deploy.yml", "--diff", "-e", variables, inventory=host.inventory)


@pytest.fixture(scope="module")
def deployed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    speaking.install_voices()
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    host.run(CUT)
    yield Deployed(host, tree, _deploy(host, tree))
    host.disconnect()
    take_down([SPEC], inventory)


def place(make: Callable[[], Caller]) -> Call:
    async def carried_out() -> Call:
        return await make().carry_out()

    return asyncio.run(asyncio.wait_for(carried_out(), 180))


def whole_transcript(host: LabHost, call: Call) -> dict[str, Any]:
    """Return the server's transcript of the call."""
    find = f"grep -l {call.ids.call_sid} /var/lib/exotel-ws/calls/*.json | xargs -r cat | grep ."
    # The server writes it after the call.
    found = host.run(f"sudo timeout 10 sh -c 'until {find} 2>/dev/null; do sleep 0.2; done'").stdout
    return dict(json.loads(found))


def transcript(host: LabHost, call: Call) -> dict[str, list[dict[str, Any]]]:
    """Return the events of the server's transcript of the call, by their kind."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for event in whole_transcript(host, call)["events"]:
        kinds.setdefault(event["what"], []).append(event)
    return kinds


def alike(heard: str, said: str) -> bool:
    return fuzz.partial_ratio(heard.lower(), said.lower()) >= 75


def assert_kept_to_the_protocol(call: Call) -> None:
    assert call.violations == []
    assert (call.fault_count, call.faults) == (0, ())
    assert call.marks
    assert call.unsaid == []


def test_it_is_deployed_without_a_network(deployed: Deployed) -> None:
    assert deployed.first.rc == 0, deployed.first.stdout
    assert "the protocol test passes" in deployed.first.stdout
    away = deployed.host.run("ip route get 203.0.113.1; getent hosts example.com", check=False)
    assert (away.returncode, away.stdout) == (2, "")


def test_the_worker_has_no_network_of_its_own_and_a_tight_sandbox(deployed: Deployed) -> None:
    assert deployed.links() == ["lo"]
    rated = deployed.host.run(f"systemd-analyze security --no-pager {deployed.unit} | tail -1").stdout
    assert float(re.findall(r"[0-9]+\.[0-9]+", rated)[-1]) <= 1.5, rated


def test_a_spoken_call(deployed: Deployed) -> None:
    """A call has a greeting, three turns of which a person's interrupts, a key, and a goodbye that ends it."""
    order = says("Where is my order?")
    script = [
        says("What are your opening hours?"),
        order,
        speaking.plays(speaking.HUMAN),
        speaking.presses("1"),
        says("Thank you and goodbye."),
    ]
    call = place(lambda: speaking.Interrupter(deployed.url, script, interrupted=order, after_s=1.5))
    assert_kept_to_the_protocol(call)
    assert len(call.clears) == 1
    assert call.clears[0].dropped_s > 0
    assert (call.end.by_bot, call.end.code) == (True, 1000)
    assert call.end.unheard_s == 0, "the goodbye is heard before the call ends"
    assert call.spoken[0].begins - call.begins < 1.0, "the greeting waits for nothing"

    events = transcript(deployed.host, call)
    said = " ".join(event["text"] for event in events["bot"])
    where = [said.find(text) for text in (HOURS, ORDER, NOT_UNDERSTOOD, HOURS, GOODBYE)]
    where[3] = said.rfind(HOURS)
    assert -1 not in where, said
    assert where == sorted(where), said
    heard = [event["text"] for event in events["caller"]]
    assert len(heard) == 4, heard
    assert alike(heard[2], speaking.HUMAN_WORDS), heard
    assert [event["digit"] for event in events["dtmf"]] == ["1"]
    assert [event["meant"] for event in events["interruption"]] == [True]
    assert [event["name"] for event in events["tool"]] == ["hang_up"]
    order_said = [event for event in events["bot"] if alike(event["text"], ORDER)]
    assert order_said[0]["heard"] != "all", "what was talked over is known not to have been heard"


def test_a_flow_that_cannot_be_followed_stops_the_deploy_before_it_looks_at_the_host(deployed: Deployed) -> None:
    before = deployed.generation
    flow = deployed.host.inventory.with_name("broken.yml")
    flow.write_text("greeting: Hello.\nfallback: [Sorry.]\nintents:\n  hours: {exampels: [when are you open], say: At nine.}\n")
    done = deployed.deploy(exotel_ws_ai_flow="broken.yml")
    assert done.rc != 0
    assert "exampels" in done.stdout
    assert done.changed == 0
    assert deployed.generation == before


def test_a_call_goes_on_to_its_end_while_another_generation_takes_over(deployed: Deployed) -> None:
    """The new generation has a flow of the inventory's and a key, which appears nowhere."""
    before = deployed.generation
    flow = (deployed.tree / "server/exotel_ws/ai/flows/example.yml").read_text()
    own = re.sub(r"^greeting:\n(  .*\n)+", "greeting: Good morning from the laboratory.\n", flow, flags=re.MULTILINE)
    deployed.host.inventory.with_name("flow.yml").write_text(own)
    calls: list[Call] = []

    async def keep() -> None:
        keepers.append(speaking.Keeper(deployed.url, says("What are your opening hours?"), says("Thank you and goodbye.")))
        up.set()
        calls.append(await keepers[0].carry_out())

    keepers: list[speaking.Keeper] = []
    up = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(asyncio.wait_for(keep(), 240)), name="a call that is kept up")
    thread.start()
    assert up.wait(10)
    assert keepers[0].answered.wait(40)
    done = deployed.deploy(
        exotel_ws_ai_flow="flow.yml", exotel_ws_ai_keys={"deepgram-api-key": SECRET}, exotel_ws_account=ACCOUNT
    )
    draining = deployed.host.run("systemctl list-units --plain --no-legend --state=deactivating 'exotel-ws@*'").stdout
    keepers[0].over.set()
    thread.join(60)
    assert done.rc == 0, done.stdout
    assert deployed.generation != before
    assert before in draining, "the call is still on the old generation"
    [call] = calls
    assert_kept_to_the_protocol(call)
    assert (call.end.by_bot, call.end.code) == (True, 1000)
    assert len(call.spoken) == len(call.said) + 1, "the greeting, and an answer to each turn"

    assert SECRET not in done.stdout
    key = "/etc/exotel-ws/current/credentials/deepgram-api-key"
    assert deployed.host.run(f"sudo stat -c '%a %U' {key}; sudo cat {key}").stdout == f"600 root\n{SECRET}"
    assert deployed.host.run(f"sudo stat -c '%a %U' {ACCOUNT_FILE}").stdout == "600 root\n"
    seen = deployed.host.run("sudo journalctl --namespace=+exotel-ws -o export; cat /etc/systemd/system/exotel-ws@.service")
    assert SECRET not in seen.stdout
    assert "LoadCredential=deepgram-api-key:/etc/exotel-ws/instances/%i/credentials/deepgram-api-key" in seen.stdout
    assert "files/flow.yml" in deployed.host.run("sudo cat /etc/exotel-ws/current/settings.toml").stdout
    assert "Good morning from the laboratory." in deployed.host.run("sudo cat /etc/exotel-ws/current/files/flow.yml").stdout
    greeted = place(lambda: Caller(parse(deployed.url), speaking.RATE, [], strip_query=False, barge_in_s=None))
    events = transcript(deployed.host, greeted)
    assert events["bot"][0]["text"] == "Good morning from the laboratory."


def test_the_bot_calls_a_person_and_a_machine_and_knows_them_apart(deployed: Deployed) -> None:
    """The account is that of the deploy before; the API is on the host, and the test plays who is called."""
    host, python = deployed.host, "/etc/exotel-ws/current/release/bin/python"
    api = base64.b64encode((REPO / "tests/tools_live/exotel_api.py").read_bytes()).decode()
    running = host.start(f"echo {api} | base64 -d >/tmp/exotel_api.py && exec {python} /tmp/exotel_api.py")
    assert running.stdout is not None
    try:
        here = running.stdout.readline().strip()
        host.run(f"sudo sed 's#https://exotel#{here}#' {ACCOUNT_FILE} | sudo sh -c 'umask 077; cat >/run/account.json'")
        ends = []
        for words in ("Who is calling me?", "Please leave a message after the tone."):
            dialled = host.run("sudo exotelctl dial --to +919876543210 --account /run/account.json --yes --json")
            assert json.loads(dialled.stdout)["status"] == "in-progress"
            stream = json.loads(running.stdout.readline())["form"]["StreamUrl"]
            call = place(partial(Caller, parse(stream), speaking.RATE, [says(words)], strip_query=True, barge_in_s=None))
            ends.append((call.end.by_bot, call.end.code, len(transcript(host, call).get("caller", []))))
    finally:
        running.kill()
    assert ends == [(False, None, 1), (True, 1000, 1)]
    said = host.run("sudo journalctl --namespace=+exotel-ws EVENT=voicemail --output cat").stdout
    assert said.count("A machine answered") == 1


def test_an_answer_comes_from_a_model_elsewhere_by_a_key_that_nobody_sees(deployed: Deployed) -> None:
    """The model has a name, and the worker a network; another flow answers once the model is gone."""
    host = deployed.host
    flow = (deployed.tree / "server/exotel_ws/ai/flows/example.yml").read_text()
    assert HOURS in flow
    host.inventory.with_name("other.yml").write_text(flow.replace(HOURS, OTHER_HOURS))
    host.run(f"echo {Model.host} model.example | sudo tee --append /etc/hosts")
    host.run(metadata.START)
    with Model() as model:
        url = f"http://model.example:{model.address.rpartition(':')[2]}/v1"
        service = {"use": "openai", "model": "of-the-lab", "base_url": url, "credential": "model-api-key"}
        chosen = {**AI, "greeting": "Hello.", "llm": ["model", "embedded"], "services": {"model": service}}
        keys = {"model-api-key": KEY}
        done = deployed.deploy(exotel_ws_ai=chosen, exotel_ws_ai_keys=keys, exotel_ws_ai_flow="other.yml")
        assert done.rc == 0, done.stdout
        said = deployed.answer(QUESTION)
    assert said == f"Hello. {''.join(ANSWER)}"
    assert alike(model.contexts[-1]["messages"][-1]["content"], QUESTION)
    assert deployed.links() == ["lo", "host0"]

    assert KEY not in done.stdout
    key = "/etc/exotel-ws/current/credentials/model-api-key"
    assert host.run(f"sudo stat -c '%a %U' {key}; sudo cat {key}").stdout == f"600 root\n{KEY}"
    for look in (
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ",
        "journalctl --namespace=+exotel-ws --output export",
        f"systemctl show {deployed.unit}",
        "cat /etc/systemd/system/exotel-ws*.service",
        "find /etc/exotel-ws/generations /var/lib/exotel-ws -type f -not -path */credentials/* -exec cat {} +",
    ):
        seen = host.run(f"sudo sh -c '{look} 2>/dev/null | grep -aohF -e exotel-ws -f {key} | sort -u'").stdout
        assert seen == "exotel-ws\n", look


def test_names_are_found_where_the_resolver_is_a_metadata_service_and_the_identity_is_out_of_reach(deployed: Deployed) -> None:
    """Use the host as the previous test deployed it."""
    host = deployed.host
    assert host.run(metadata.probe()).stdout.split() == [metadata.NAMED, metadata.SECRET]
    assert host.run(metadata.probe(deployed.unit)).stdout.split() == [metadata.NAMED, "URLError"]
    rated = host.run(f"systemd-analyze security --no-pager {deployed.unit} | tail -1").stdout
    assert float(re.findall(r"[0-9]+\.[0-9]+", rated)[-1]) <= 1.5, rated


def test_a_rollback_brings_back_the_flow_and_takes_the_network_away(deployed: Deployed) -> None:
    """Without the model of the deploy before, the flow answers and the doctor says why; a rollback brings back the old flow."""
    before = time.time()
    said = deployed.answer(QUESTION)
    assert (OTHER_HOURS in said, HOURS in said) == (True, False), said
    report = json.loads(deployed.host.run(f"sudo exotelctl doctor --json --since @{before:.6f}", check=False).stdout)
    [provider] = [result for result in report["results"] if result["id"] == "provider"]
    assert (provider["verdict"], "llm (model)" in provider["says"]) == ("fail", True), provider
    done = play("playbooks/rollback.yml", inventory=deployed.host.inventory)
    assert done.rc == 0, done.stdout
    said = deployed.answer(QUESTION)
    assert (OTHER_HOURS in said, HOURS in said) == (False, True), said
    assert deployed.links() == ["lo"]


def test_a_tool_is_asked_exotel_is_told_what_follows_and_the_end_is_reported_though_the_worker_is_killed(
    deployed: Deployed,
) -> None:
    """The systems are real servers that check who asks; reports are refused until the worker that owes them is gone."""
    host = deployed.host
    host.inventory.with_name("keys.yml").write_text(BY_KEYS)
    with Systems({"/order": OWN_KEYS["look-up-signing"], "/ended": OWN_KEYS["ended"]}) as systems:
        look_up = {
            "description": "Look up where an order is.",
            "url": f"{systems.url}/order",
            "signing_credential": "look-up-signing",
            "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
        }
        ai = {
            **AI,
            "tools": {"look_up": look_up},
            "ended_url": f"{systems.url}/ended",
            "bots": {"other": {"greeting": "Namaste."}},
        }
        done = deployed.deploy(exotel_ws_ai=ai, exotel_ws_ai_keys=OWN_KEYS, exotel_ws_ai_flow="keys.yml")
        assert done.rc == 0, done.stdout
        orders = deployed.calls(["1", "4821", "1", "0"])
        other = deployed.calls(["9"], "&bot=other")
        for call, bot in ((orders, "default"), (other, "other")):
            assert_kept_to_the_protocol(call)
            assert (call.end.by_bot, call.end.code, whole_transcript(host, call)["bot"]) == (True, 1000, bot)
        said = [event["text"] for event in transcript(host, orders)["bot"]]
        assert said == ["Welcome.", "Which order?", "4, 8, 2, 1?", "I will look.", "It is on its way.", "Connecting."]
        assert transcript(host, other)["bot"][0]["text"] == "Namaste."
        [asked] = systems.asked
        assert (asked["arguments"], asked["call"]["call_sid"]) == ({"order": "4821"}, orders.ids.call_sid)
        assert [deployed.what_follows(call) for call in (orders, other)] == [200, 302]

        wait_for(lambda: bool(systems.refused), "a report to be tried")
        host.run(f"sudo systemctl kill --signal KILL {deployed.unit}")
        systems.takes_reports.set()
        sids = {orders.ids.call_sid: "transfer", other.ids.call_sid: "hang_up"}
        wait_for(lambda: sids.keys() <= {told["call_sid"] for _, told in systems.reports}, "both reports to be taken")
        tried_again = set(systems.refused)
        wait_for(lambda: tried_again <= {key for key, _ in systems.reports}, "what was refused to come again by its key")
        ours = [(key, told) for key, told in systems.reports if told["call_sid"] in sids]
        assert {told["call_sid"]: told["outcome"] for _, told in ours} == sids
        assert len(ours) == len({key for key, _ in ours}) == 2
        [report] = [told for _, told in ours if told["call_sid"] == orders.ids.call_sid]
        assert (report["reason"], report["bot"], report["slots"]) == ("agent", "default", {"order": "4821"})
        assert [deployed.what_follows(call) for call in (orders, other)] == [200, 302], "another worker knows it, too"
    journal = host.run("sudo journalctl --namespace=+exotel-ws -o export").stdout
    assert not [secret for secret in OWN_KEYS.values() if secret in journal + done.stdout]


def wait_for(what: Callable[[], bool], told: str, within_s: float = 90.0) -> None:
    until = time.monotonic() + within_s
    while not what():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {within_s:g} s for {told}")
        time.sleep(0.2)
