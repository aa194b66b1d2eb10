"""HTTP requests to systems of the user's: where they may go, how they are signed, and what is taken from an answer."""
