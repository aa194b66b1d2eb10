"""The protocol test: a script of steps, one conversation that carries them out, pure judges, a report."""
