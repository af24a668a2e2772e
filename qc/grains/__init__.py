"""What of an admitted study becomes a pseudo-label."""
