"""Talk to a bot by a simulated Exotel call: speak words to it, play its answers as a telephone does, and time them."""
