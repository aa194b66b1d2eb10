"""Answers to what Exotel asks by HTTP after a stream: which applet of its call flow comes next."""
