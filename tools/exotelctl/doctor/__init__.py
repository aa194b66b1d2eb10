"""``doctor``: facts about this host, pure checks that judge them, causes told apart from their consequences, one report."""
