"""Let tests import the collection by its full name, as Ansible does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "collections"))
