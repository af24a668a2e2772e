"""The staged run: settings in, compared and reported results out.

``run`` does all that the settings ask and keeps every training, prediction and fitted estimator as
a stage of the run folder, so that a stopped or changed run repeats only what it must. What a
finished run can be used for stands beside it: ``predict_images`` for new studies,
``evaluate_elsewhere`` for another data set, ``compare_runs`` beside other runs, ``export_run`` for
other programs.
"""

import lazy_loader

# The names are in the stub beside this file; each loads what it needs when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
