"""Property tests over what strangers send. How much is tried is `HYPOTHESIS_PROFILE`: ``ci``, or ``fuzz`` (`make fuzz`)."""
