from .schemes import UNLABELLED as UNLABELLED
from .schemes import LabelScheme as LabelScheme
from .schemes import Measure as Measure
from .schemes import Structure as Structure
from .scoring.one import score as score
from .study import Geometry as Geometry
from .study import Prediction as Prediction
from .study import Study as Study
from .study import Voxels as Voxels

__version__: str
