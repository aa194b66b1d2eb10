"""`python -m exotel_ws`."""

import sys

from exotel_ws.cli import main

sys.exit(main())
