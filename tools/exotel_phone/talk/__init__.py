"""A simulated Exotel call to a bot: words are spoken to it, its answers are played as a telephone plays them, and timed."""
