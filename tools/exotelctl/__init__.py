"""The on-call tool of the Exotel voicebot server: facts in, a plan of actions, one executor; each verb is a module."""
