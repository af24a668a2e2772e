from .one import score as score
from .scores import ScoreReport as ScoreReport
from .scores import StudyScore as StudyScore
from .scoring import score_images as score_images
