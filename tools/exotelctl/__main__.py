"""``python -m exotelctl``."""

from exotelctl.cli import main

if __name__ == "__main__":
    main()
