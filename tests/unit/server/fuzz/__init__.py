"""Property tests of input from strangers. `HYPOTHESIS_PROFILE` sets their extent: ``ci``, or ``fuzz`` (`make fuzz`)."""
