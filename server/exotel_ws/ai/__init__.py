"""AI mode: a caller speaks, the bot understands, answers, and can be interrupted.

It is built on pipecat, which brings turn-taking and some fifty vendors. `spec` is the way in, `mode` what the calls of a worker
share, and `assembly` puts the parts of a call together. `conversation` directs the call from greeting to hang-up, `dialogue` is
its pipeline, and `playout` sends audio at the pace of the wire. Its rooms:

- `providers`: services that settings choose.
- `embedded`, `scripted`: services that need neither key nor network.
- `failure`: deadlines, failover and apologies.
- `records`: story, recording, timings and counts of a call.
"""
