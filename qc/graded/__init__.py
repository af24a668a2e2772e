"""Segmentations of known quality, to train and test quality estimators."""

import lazy_loader

# The names are in the stub beside this file; sources load networks when they are first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
