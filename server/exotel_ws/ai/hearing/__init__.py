"""Hearing of a call: what of the sound on the line is the caller's voice, and how loud it reaches the recognisers."""
