"""Ask a system of the user's who calls, before the bot greets."""
