"""What is known of a call afterwards: transcript, recording, latencies and counts."""
