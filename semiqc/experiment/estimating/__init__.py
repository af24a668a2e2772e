"""How long a run takes on this machine and how much disk it needs, told before it begins."""

import lazy_loader

# The names are in the stub beside this file; each loads what it needs when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
