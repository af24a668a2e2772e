from dataclasses import replace

import numpy as np
import pytest
from curve_builders import graded_hearts, heart, prediction_of

from qc import CurveClassifier, Graded
from qc.estimators.curve.curves import Curves, channels, curves_of, measured_structures
from qc.estimators.curve.estimator import held_out_folds
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    UNLABELLED,
    LabelScheme,
    Structure,
)

QUICK = {"steps": 60, "folds": 3, "members": 1}


def curves(*rows):
    names = tuple("abc"[: len(rows)])
    return Curves(names, np.array(rows, dtype=np.float64))


def classifier(**settings):
    return CurveClassifier(SHORT_AXIS, **(QUICK | settings))


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(graded_hearts(12))


class TestCurves:
    def test_sizes_are_those_of_the_measured_structures(self):
        labels = heart("a", frames=6)

        found = curves_of(prediction_of("a", labels), measured_structures(SHORT_AXIS))

        assert found.structures == ("LV", "MYO", "RV")
        voxel_ml = 10.0 * 2.0 * 1.8 / 1000
        assert found.sizes[0] == pytest.approx((labels == 3).sum(axis=(1, 2, 3)) * voxel_ml)

    def test_a_frame_without_labels_is_filled_in(self):
        labels = heart("a", frames=5)
        gap = labels.copy()
        gap[2] = UNLABELLED
        structures = measured_structures(SHORT_AXIS)

        full, filled = (curves_of(prediction_of("a", x), structures).sizes for x in (labels, gap))

        assert filled[:, 2] == pytest.approx((full[:, 1] + full[:, 3]) / 2)

    def test_a_scheme_without_measures_has_no_curve(self):
        with pytest.raises(ValueError, match="silent: no structure has a measure"):
            measured_structures(LabelScheme("silent", ("b", "a"), (Structure("a", (1,)),)))

    def test_a_lost_frame_jumps_by_its_whole_height_and_its_neighbours_do_not(self):
        found = curves([10, 8, 0, 4, 5, 7])

        assert found.jumps == pytest.approx(np.array([[2, 0, 4, 0, 0, 0]]))

    @pytest.mark.parametrize("frames", [1, 2, 3])
    def test_with_few_frames_end_systole_is_no_jump(self, frames):
        assert not curves([10, 4, 10][:frames]).jumps.any()

    def test_the_size_of_a_study_is_not_moved_by_some_lost_frames(self):
        whole = curves([10, 8, 6, 8, 10], [5, 5, 5, 5, 5])
        holed = curves([10, 8, 0, 8, 10], [5, 5, 0, 5, 5])

        assert whole.study_size == holed.study_size == 13
        assert curves([0, 0, 0, 9]).study_size == pytest.approx(9 / 4)

    def test_body_size_does_not_matter(self):
        small = curves([10, 8, 6, 8], [5, 6, 7, 6])
        large = curves([20, 16, 12, 16], [10, 12, 14, 12])

        np.testing.assert_allclose(channels(small, 9), channels(large, 9))

    def test_ratios_between_structures_stay(self):
        found = channels(curves([30, 30, 30, 30], [10, 10, 10, 10]), 5)

        assert found.shape == (5, 6)
        assert found[:, 0] == pytest.approx(0.75)
        assert found[:, 1] == pytest.approx(0.25)

    def test_heart_rate_does_not_matter(self):
        slow, fast = (
            curves(100 - 60 * np.sin(np.linspace(0, np.pi, frames)) ** 2) for frames in (61, 21)
        )

        np.testing.assert_allclose(channels(slow, 21), channels(fast, 21), atol=0.03)

    def test_no_lost_frame_slips_between_the_points(self):
        for frame in range(100):
            sizes = np.full(100, 50.0)
            sizes[frame] = 0

            jumps = channels(curves(sizes), 16)[:, 2]

            assert jumps.max() == pytest.approx(1.0)

    def test_channels_of_nothing_are_finite(self):
        assert np.isfinite(channels(curves([0, 0, 0, 0], [0, 0, 0, 0]), 8)).all()
        assert np.isfinite(channels(curves([0, 0, 0, 9e5], [0, 0, 0, 0]), 8)).all()
        assert np.abs(channels(curves([0, 0, 0, 9e5], [1, 1, 1, 1]), 8)).max() < 10


class TestFolds:
    STUDIES = tuple(f"s{i // 3}" for i in range(18))
    IS_GOOD = np.arange(18) % 3 == 0

    def test_no_study_is_learned_from_and_held_out(self):
        folds = held_out_folds(self.IS_GOOD, self.STUDIES, 4, seed=1)

        names = np.array(self.STUDIES)
        assert len(folds) == 4
        assert sorted(np.concatenate([held_out for _, held_out in folds])) == list(range(18))
        for learned, held_out in folds:
            assert not set(names[learned]) & set(names[held_out])

    def test_each_fold_learns_from_both_verdicts(self):
        is_good = np.ones(18, dtype=bool)
        is_good[[0, 10]] = False

        folds = held_out_folds(is_good, self.STUDIES, 5, seed=0)

        assert len(folds) == 2
        assert all(0 < is_good[learned].sum() < len(learned) for learned, _ in folds)

    def test_erroneous_ones_of_one_study_cannot_be_held_out(self):
        is_good = np.ones(18, dtype=bool)
        is_good[[0, 1]] = False

        assert held_out_folds(is_good, self.STUDIES, 5, seed=0) == []


class TestClassifier:
    def test_figures_of_held_out_studies_are_reported(self, fitted):
        assert fitted.figures_["good"] == fitted.figures_["erroneous"] == 12
        assert fitted.figures_["auc"] > 0.9
        assert 0 < fitted.figures_["threshold"] < 1
        assert len(fitted.networks_) == 3
        assert fitted.measured() == fitted.figures_

    def test_labels_that_tell_nothing_give_no_false_hope(self):
        rng = np.random.default_rng(0)
        shuffled = [
            replace(one, is_good=bool(rng.integers(2))) for one in graded_hearts(14) if one.is_good
        ]

        assert classifier().fit(shuffled).figures_["auc"] < 0.8

    def test_the_verdict_is_where_the_score_stands_to_the_threshold(self, fitted):
        for quality in fitted.predict([one.prediction for one in graded_hearts(6, first=50)]):
            assert quality.is_good == (quality.score >= fitted.figures_["threshold"])
            assert bool(quality.reasons) == (not quality.is_good)

    def test_more_weight_on_sensitivity_calls_no_fewer_erroneous(self):
        graded = graded_hearts(12)
        flipped = [replace(graded[i], is_good=not graded[i].is_good) for i in (0, 1, 8, 9)]
        graded = [*graded[2:8], *graded[10:], *flipped]

        lax, strict = (
            classifier(sensitivity_weight=weight).fit(graded).figures_ for weight in (0.1, 0.9)
        )

        assert strict["threshold"] > lax["threshold"]
        assert strict["sensitivity"] > lax["sensitivity"]

    def test_a_structure_in_no_frame_scores_nothing_and_is_named(self, fitted):
        labels = heart("a")
        labels[labels == 1] = 0

        (quality,) = fitted.predict([prediction_of("a", labels)])

        assert quality.score == 0
        assert quality.is_good is False
        assert quality.reasons[0] == "RV is in no frame"

    def test_a_structure_that_good_predictions_lack_may_be_absent(self):
        graded = graded_hearts(8)
        for one in graded:
            one.prediction.labels[one.prediction.labels == 1] = 0
        labels = heart("a")
        labels[labels == 1] = 0

        (quality,) = classifier().fit(graded).predict([prediction_of("a", labels)])

        assert quality.score > 0
        assert "RV is in no frame" not in quality.reasons

    def test_an_unusual_jump_is_named_with_its_frame(self, fitted):
        labels = heart("a", frames=16)
        labels[11] = 0

        (quality,) = fitted.predict([prediction_of("a", labels)])

        lost = (heart("a", frames=16)[10] == 1).sum() * 10.0 * 2.0 * 1.8 / 1000
        assert not quality.is_good
        assert f"RV jumps by {lost:.0f} ml in frame 11" in quality.reasons

    @pytest.mark.parametrize(("is_good", "score", "kind"), [(True, 1, "good"), (False, 0, "err")])
    def test_with_one_verdict_there_is_nothing_to_tell_apart(self, is_good, score, kind):
        graded = [one for one in graded_hearts(3) if one.is_good == is_good]

        quality = classifier().fit(graded).predict([prediction_of("a", heart("a"))])[0]

        assert quality.score == score
        assert quality.is_good == is_good
        assert f"all training predictions were {kind}" in quality.reasons[0]

    def test_where_nothing_can_be_held_out_the_threshold_is_even(self):
        fitted = classifier().fit(graded_hearts(1))

        assert fitted.figures_["threshold"] == 0.5
        assert np.isnan(fitted.figures_["auc"])
        assert len(fitted.networks_) == 1

    def test_every_fold_has_its_members(self):
        fitted = classifier(members=2, steps=1).fit(graded_hearts(4))

        assert len(fitted.networks_) == 3 * 2
        weights = {network.dense.weight[0, 0].item() for network in fitted.networks_}
        assert len(weights) == 6

    def test_predictions_without_verdict_teach_nothing(self):
        graded = graded_hearts(3)
        others = [replace(one, is_good=None) for one in graded_hearts(2, first=7)]
        predictions = [one.prediction for one in graded]

        alone = classifier(steps=5).fit(graded).predict(predictions)
        beside = classifier(steps=5).fit([*others, *graded]).predict(predictions)

        assert [one.score for one in beside] == [one.score for one in alone]
        with pytest.raises(ValueError, match=r"from verdicts, and none of 4 graded predictions"):
            classifier().fit(others)

    def test_an_area_curve_is_judged_too(self):
        time = np.linspace(0, 2 * np.pi, 50)
        y, x = np.ogrid[:30, :34]
        radius = 8 + np.sin(time)
        disc = (np.hypot(y - 15, x - 16) < radius[:, None, None, None]).astype(np.int8)
        flickering = disc.copy()
        flickering[::7] = 0
        graded = [
            Graded(prediction_of(f"study{number}", labels), is_good=labels is disc)
            for number in range(6)
            for labels in (disc, flickering)
        ]

        fitted = CurveClassifier(AORTA, **QUICK).fit(graded)
        found = fitted.predict([prediction_of("a", disc), prediction_of("b", flickering)])

        assert found[0].is_good
        assert not found[1].is_good
        assert any("mm2" in reason for reason in found[1].reasons)
