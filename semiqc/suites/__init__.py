"""From a store to a fitted suite, and from a suite to how well it estimates.

``grading`` is ``semiqc qc grade``, ``making`` is ``semiqc qc fit``, ``pretraining`` is
``semiqc qc pretrain``, ``finetuning`` and ``calibrating`` are ``finetune`` and ``calibrate``,
``evaluating`` is ``semiqc qc evaluate``, ``settings`` what making can be told. The suite itself,
and all that it needs to be used, is ``qc.suites``.
"""
