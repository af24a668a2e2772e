"""Long work in a folder: stages, locks, splits, arguments, progress."""
