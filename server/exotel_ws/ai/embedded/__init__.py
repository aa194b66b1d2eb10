"""Services that need neither a key nor a network. Importing this room prepares the environment for its models."""

from exotel_ws.ai import environment

environment.prepare()  # for tools and benchmarks that use a model without a mode; a mode has prepared it earlier
