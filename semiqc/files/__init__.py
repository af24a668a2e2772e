"""Files: written whole or not at all, read as they are indexed."""
