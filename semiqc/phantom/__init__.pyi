from .anatomy import GROUPS as GROUPS
from .aorta import aorta_study as aorta_study
from .dataset import write_phantoms as write_phantoms
from .scanner import PROFILES as PROFILES
from .settings import KINDS as KINDS
from .settings import PhantomSettings as PhantomSettings
from .short_axis import short_axis_study as short_axis_study
from .tumour import tumour_study as tumour_study
