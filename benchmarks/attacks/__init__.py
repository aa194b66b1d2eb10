"""What a stranger can do to a live call: attacks in processes of their own, and what is measured beside them."""
