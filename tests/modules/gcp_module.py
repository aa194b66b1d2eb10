"""Run a module for Google Cloud in this process as Ansible does in a new one: from its arguments to its output."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.exotel.voicebot.plugins.modules import gcp_firewall_rule

from tests.modules.compute.server import ComputeServer

PROJECT = "contract-test"
# A key, a token of Google, or a token that a key has signed.
_SECRET = re.compile(r"PRIVATE KEY|ya29\.|eyJ")
Result = dict[str, Any]


def run(main: Callable[[], None], options: dict[str, Any], *, check: bool = False) -> Result:
    """Return the result of the module `main` with `options`, with a diff and its warnings as texts; in check mode if `check`.

    Fails the test if a secret is in it.
    """
    warnings._global_warnings.clear()  # a process of its own would have none
    output = io.StringIO()
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    with pytest.MonkeyPatch.context() as patch:
        # Another test may have loaded Ansible's controller, which takes a module's warnings for its own.
        patch.setattr(_internal, "is_controller", False)
        with patch_module_args(arguments), redirect_stdout(output), pytest.raises(SystemExit):
            main()
    assert not _SECRET.search(output.getvalue())
    result: Result = json.loads(output.getvalue())
    result["warnings"] = list(warnings.get_warning_messages())
    return result


class FirewallRule:
    """Module gcp_firewall_rule for the rule `name` at `compute`, as the service account whose key is in `directory`."""

    name = "allow-exotel-ws"

    def __init__(self, compute: ComputeServer, directory: Path) -> None:
        self._options = {**reach(compute, compute.credentials_file(directory)), "name": self.name, "timeout": 20}

    def __call__(self, *, check: bool = False, **options: Any) -> Result:
        """Run the module with `options`; one that is None is not given."""
        given = {option: value for option, value in {**self._options, **options}.items() if value is not None}
        return run(gcp_firewall_rule.main, given, check=check)


def reach(compute: ComputeServer, key_file: Path) -> dict[str, Any]:
    """Return the options with which a module reaches `compute` as the service account of `key_file`."""
    return {
        "project": PROJECT,
        "api_endpoint": compute.url,
        "iam_endpoint": compute.url,
        "auth_kind": "service_account_file",
        "service_account_file": str(key_file),
    }
