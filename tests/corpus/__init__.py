"""Bad inputs for every door.

``python -m tests.corpus`` prints what becomes of them. ``python -m tests.corpus SECONDS [DOOR]``
damages files of every door, or of those named, at random for so long each, and prints the
numbers of the damages that were answered wrongly.
"""
