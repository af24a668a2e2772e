"""Images between a file and a network."""
