"""The papers of the repository: the licence, the changelog, the pre-commit hooks, and links between documents."""

import hashlib
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from exotelctl.cli import app
from typer.main import get_command

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text("utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
HOOKS = [
    hook for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"] for hook in repo["hooks"]
]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("inventory/*.md")])
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of the licence's text as apache.org has it."""


def test_the_licence_is_the_one_that_wheel_and_collection_name() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert GALAXY["license"] == ["Apache-2.0"]
    assert not any(fnmatch("LICENSE", pattern) for pattern in GALAXY["build_ignore"])


def test_wheel_and_collection_have_one_version_which_the_changelog_tells() -> None:
    assert GALAXY["version"] == PROJECT["version"]
    assert f"\n## [{PROJECT['version']}] - " in CHANGELOG


def test_the_changelog_keeps_its_form() -> None:
    """The changelog keeps the form of https://keepachangelog.com/en/1.1.0/."""
    versions = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    dates = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2})", version) for version in versions[1:]]
    assert all(dates), versions
    assert [date[1] for date in dates if date] == sorted((date[1] for date in dates if date), reverse=True)
    for part in CHANGELOG.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.*)$", part, re.MULTILINE)
        order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        assert kinds == [kind for kind in order if kind in kinds]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_uses_tools_of_the_venv_or_a_target_of_the_makefile(hook: dict[str, str]) -> None:
    assert hook["language"] == "system", "no other language works without a network"
    program, *arguments = hook["entry"].split()
    if program == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        targets = [argument for argument in arguments if not argument.startswith("-")]
        assert targets
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    else:
        assert Path(program).parent == Path(".venv/bin")
        dev = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
        assert Path(program).name in dev


def test_hooks_are_local() -> None:
    assert [repo["repo"] for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]] == ["local"]


def test_the_readme_names_every_playbook_and_verb_that_a_person_types() -> None:
    """The README names every playbook and verb that a person types.

    `targets.yml` is part of the others, `make deploy` types `lab.yml`, and `verify.yml` types `exotelctl verify`.
    """
    readme = (ROOT / "README.md").read_text("utf-8")
    playbooks = {path.name for path in ROOT.glob("playbooks/*.yml")} - {"lab.yml", "targets.yml"}
    assert [name for name in sorted(playbooks) if name not in readme] == []
    verbs = get_command(app).commands.keys() - {"verify"}  # type: ignore[attr-defined]
    assert [verb for verb in sorted(verbs) if not re.search(rf"exotelctl {verb}\b|`{verb}`", readme)] == []


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as forges make them."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_of_it(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "README.md"])
def test_every_file_that_a_map_names_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    tops = "benchmarks|docs|playbooks|plugins|roles|scripts|server|tests|tools"  # the reader makes inventory/production
    named = re.findall(rf"`((?:{tops})/[\w./@-]*)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_command_that_a_paper_types_exists(document: Path) -> None:
    """Every playbook, verb of `exotelctl` and variable of the edge that a paper types exists; the changelog tells of old ones."""
    if document.name == "CHANGELOG.md":
        return
    text = document.read_text("utf-8")
    typed = set(re.findall(r"playbooks/[a-z_]+\.yml", text))
    assert [name for name in sorted(typed) if not (ROOT / name).exists()] == []
    verbs = set(re.findall(r"(?:`|sudo |^)exotelctl ([a-z][a-z-]+)", text, re.MULTILINE))
    assert verbs - get_command(app).commands.keys() == set()  # type: ignore[attr-defined]
    variables = yaml.safe_load((ROOT / "roles/edge/defaults/main.yml").read_text("utf-8"))
    assert set(re.findall(r"\bedge_[a-z_]*[a-z]\b", text)) - variables.keys() == set()


def test_the_map_names_each_kind_of_test() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^\| `make ([\w-]+)` \|", contributing, re.MULTILINE):
        assert re.search(rf"^{target}: .*## ", makefile, re.MULTILINE), target
