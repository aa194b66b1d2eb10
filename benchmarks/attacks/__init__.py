"""Effect of a stranger's attacks on a live call: each attack runs in its own process, and calls beside it are measured."""
