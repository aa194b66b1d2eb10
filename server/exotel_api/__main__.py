"""`python -m exotel_api`."""

import sys

from exotel_api.cli import main

sys.exit(main())
