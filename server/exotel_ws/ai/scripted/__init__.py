"""The scripted flow: a bot whose answers are written down beforehand, and need neither key nor model."""
