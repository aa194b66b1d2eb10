"""Gather facts about this host, judge them by pure checks, tell causes from their consequences, and write one report."""
