"""Train segmenters on few labels, guarded by quality control."""

import lazy_loader

# The names are in the stub beside this file; each loads what it needs when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
