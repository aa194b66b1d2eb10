"""Survive failures of services: failover, deadlines, apologies, and the end of a call that can't go on."""
