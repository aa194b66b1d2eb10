"""Exotel's side of a call: place one, talk to a bot, load a server, test its protocol, play captures again."""
