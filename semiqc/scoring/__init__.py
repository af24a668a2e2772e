"""Segmentations that anybody made, judged by a suite: tables, error maps and one page."""

import lazy_loader

# The names are in the stub beside this file; each loads what it needs when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
