from .estimate import Estimate as Estimate
from .estimate import estimate_run as estimate_run
from .estimate import expected_steps as expected_steps
from .extents import extent_of as extent_of
from .extents import extent_of_settings as extent_of_settings
from .work import Extent as Extent
