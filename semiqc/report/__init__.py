"""The report of a run: tables and one self-contained page.

The page follows Tables 2 and 3 and Figures 2 and 3 of Ruijsink, Puyol-Antón et al.,
"Quality-aware semi-supervised learning for CMR segmentation", STACOM 2020
(https://doi.org/10.1007/978-3-030-68107-4_10), with intervals and what a gate admitted beside
them.
"""

import lazy_loader

# The names are in the stub beside this file; each loads what it needs when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
