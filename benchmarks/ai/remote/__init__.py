"""Remote services: fakes on the wire of OpenAI, Deepgram and Cartesia at real pace, and what a call by them costs a server."""
