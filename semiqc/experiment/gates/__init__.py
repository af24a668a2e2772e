"""Settings of gates, derived from what is registered, and their checks."""
