"""A WebSocket server for Exotel's Voicebot applet."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("exotel-voicebot")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+source"
