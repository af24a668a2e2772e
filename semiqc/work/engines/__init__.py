"""Where the processes run that share the work of a run folder; a file a kind of place."""
