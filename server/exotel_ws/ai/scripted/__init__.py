"""The scripted flow: a bot with answers written beforehand, which needs neither key nor model."""
