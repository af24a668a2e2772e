"""The smallest run that still does everything."""

TINY = (
    "name=tiny",
    "phantom.studies=14",
    "phantom.size=32",
    "phantom.slices=3",
    "phantom.frames=6",
    "split.labelled=3",
    "split.qc=3",
    "split.validation=1",
    "split.test=3",
    "frames.use=extremes",
    "segmenter.channels=[4, 8]",
    "segmenter.members=1",
    "training.steps=12",
    "training.batch_size=4",
    "training.patch=[32, 32]",
    "training.checkpoint_every=5",
    "training.validate_every=6",
    "gate.k=2",
    "gate.by=curve",
    "qc.estimators=[curve]",
)
