"""Bad inputs for every door. ``python -m tests.corpus`` prints what becomes of them."""
