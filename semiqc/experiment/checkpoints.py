"""Every checkpoint of a scenario's training, evaluated on the test studies."""

from collections.abc import Sequence
from dataclasses import replace

from segmenters import Checkpoint, dice_term
from semiqc.experiment.evaluation import true_dice
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import Trained, TrainedEnsemble
from semiqc.experiment.training_log import FILE, last_value
from semiqc.files.tables import CheckpointRow
from semiqc.measuring.means import mean_of_known
from semiqc.study import Study


def checkpoint_rows(
    trainer: StagedTrainer, scenario: str, trained: Trained, test: Sequence[Study]
) -> list[CheckpointRow]:
    """A row for each kind of weights that a training left; none where there is one kind only."""
    kinds = [
        kind
        for kind in trainer.checkpoints
        if (trained.stage.folder / trainer.weights_file(kind)).exists()
    ]
    return [_row(trainer, scenario, trained, test, kind) for kind in kinds if len(kinds) > 1]


def _row(
    trainer: StagedTrainer,
    scenario: str,
    trained: Trained,
    test: Sequence[Study],
    kind: Checkpoint,
) -> CheckpointRow:
    """Figures of one kind of weights of a training.

    Those in use were predicted by the evaluation already, whose stage is read again; any other
    kind segments the test studies in a stage of its own.
    """
    file = trainer.weights_file(kind)
    is_used = file == trained.weights
    name = f"{scenario}-test" if is_used else f"{scenario}-test-{kind}"
    ensemble = TrainedEnsemble((replace(trained, weights=file),))
    hidden = [study.without_labels() for study in test]
    predictions = trainer.predict(name, ensemble, hidden, uncertainty=False)
    return CheckpointRow(
        seed=trainer.seed,
        scenario=scenario,
        checkpoint=kind,
        is_used=is_used,
        validation_dice=last_value(trained.stage.folder / FILE, dice_term(kind)),
        dice=mean_of_known(
            true_dice(prediction, study, trainer.store.scheme, trainer.settings.evaluation.grid)
            for prediction, study in zip(predictions, test, strict=True)
        ),
    )
