"""Records of calls: transcript, recording, latencies and counts."""
