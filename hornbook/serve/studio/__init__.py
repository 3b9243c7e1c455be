"""The studio: pages on which a person trains, asks, talks and understands, on top of the server."""
