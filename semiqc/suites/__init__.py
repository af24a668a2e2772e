"""From a store to a fitted suite, and from a suite to how well it judges."""
