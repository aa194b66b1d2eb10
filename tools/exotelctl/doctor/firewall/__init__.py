"""Evaluate what a host's packet filter does with the first packet of a call. Pure: rules in, outcome out.

The packet is a TCP SYN over IPv4 to the call port, from an address that no rule names, by the interface of the default route.
"""
