"""What fails is heard, and survived: failover, deadlines, apologies, and the end of a call that cannot go on."""
