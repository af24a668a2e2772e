"""Radiomics features against the reference values of the IBSI for its digital phantom.

The values are those that the IBSI published (Zwanenburg et al., Radiology 2020; reference manual,
https://arxiv.org/abs/1612.07003): texture in 3D, co-occurrence and run length averaged over
directions. Tolerances other than rounding are the IBSI's, too.
"""

import numpy as np
import pytest
from uncertainty_builders import graded_hearts_with_uncertainty

from qc.estimators.uncertainty.estimator import Uncertainty
from qc.estimators.uncertainty.features import reaches_of
from qc.estimators.uncertainty.radiomics.cooccurrence import cooccurrences, glcm
from qc.estimators.uncertainty.radiomics.features import COUNT, radiomics, radiomics_features
from qc.estimators.uncertainty.radiomics.first_order import first_order
from qc.estimators.uncertainty.radiomics.mesh import mesh_size
from qc.estimators.uncertainty.radiomics.region import Region, levels_of
from qc.estimators.uncertainty.radiomics.shape import shape
from qc.estimators.uncertainty.radiomics.texture import texture, zones
from qc.frames import frame_of
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import SHORT_AXIS

PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
)
"""The digital phantom, 5 x 4 x 4 voxels of 2 mm; 0 is outside its region of 74 voxels."""

FIRST_ORDER = {
    "mean": 2.15, "variance": 3.05, "skewness": 1.08, "excess kurtosis": -0.355, "median": 1,
    "minimum": 1, "10th percentile": 1, "90th percentile": 4, "maximum": 6,
    "interquartile range": 3, "range": 5, "mean absolute deviation": 1.55,
    "robust mean absolute deviation": 1.11, "energy": 567, "root mean square": 2.77,
    "entropy": 1.27, "uniformity": 0.512,
}  # fmt: skip
SHAPE = {
    "volume": (556, 4), "approximate volume": (592, 4), "surface area": (388, 3),
    "surface to volume ratio": (0.698, 0.004), "sphericity": (0.843, 0.005),
    "maximum 3D diameter": (13.1, 0.1), "major axis length": (11.4, 0.05),
    "minor axis length": (9.31, 0.005), "least axis length": (8.54, 0.005),
    "elongation": (0.816, 0.005), "flatness": (0.749, 0.005),
}  # fmt: skip
GLCM = {
    "joint maximum": 0.503, "joint average": 2.14, "joint variance": 3.1, "joint entropy": 2.4,
    "difference average": 1.43, "difference variance": 3.06, "difference entropy": 1.56,
    "sum average": 4.29, "sum entropy": 1.92, "angular second moment": 0.303, "contrast": 5.32,
    "inverse difference": 0.677, "normalised inverse difference": 0.851,
    "inverse difference moment": 0.618, "normalised inverse difference moment": 0.898,
    "inverse variance": 0.0604, "correlation": 0.157, "autocorrelation": 5.06,
    "cluster tendency": 7.07, "cluster shade": 16.6, "cluster prominence": 145,
    "information correlation 1": -0.157, "information correlation 2": 0.52,
}  # fmt: skip
TEXTURE = {
    "runs: short run emphasis": 0.705, "runs: long run emphasis": 3.06,
    "runs: low level emphasis": 0.603, "runs: high level emphasis": 9.7,
    "runs: short run low level emphasis": 0.352, "runs: short run high level emphasis": 8.54,
    "runs: long run low level emphasis": 2.39, "runs: long run high level emphasis": 17.6,
    "runs: level non-uniformity": 21.8, "runs: normalised level non-uniformity": 0.43,
    "runs: run non-uniformity": 26.9, "runs: normalised run non-uniformity": 0.513,
    "runs: run percentage": 0.68, "runs: level variance": 3.46, "runs: run variance": 0.574,
    "runs: run entropy": 2.43,
    "zones: small zone emphasis": 0.255, "zones: large zone emphasis": 550,
    "zones: low level emphasis": 0.253, "zones: high level emphasis": 15.6,
    "zones: small zone low level emphasis": 0.0256, "zones: small zone high level emphasis": 2.76,
    "zones: large zone low level emphasis": 503, "zones: large zone high level emphasis": 1490,
    "zones: level non-uniformity": 1.4, "zones: normalised level non-uniformity": 0.28,
    "zones: zone non-uniformity": 1, "zones: normalised zone non-uniformity": 0.2,
    "zones: zone percentage": 0.0676, "zones: level variance": 2.64, "zones: zone variance": 331,
    "zones: zone entropy": 2.32,
    "dependences: low dependence emphasis": 0.045, "dependences: high dependence emphasis": 109,
    "dependences: low level emphasis": 0.693, "dependences: high level emphasis": 7.66,
    "dependences: low dependence low level emphasis": 0.00963,
    "dependences: low dependence high level emphasis": 0.736,
    "dependences: high dependence low level emphasis": 102,
    "dependences: high dependence high level emphasis": 235,
    "dependences: level non-uniformity": 37.9, "dependences: dependence non-uniformity": 4.86,
    "dependences: normalised dependence non-uniformity": 0.0657,
    "dependences: level variance": 3.05, "dependences: dependence variance": 22.1,
    "dependences: dependence entropy": 4.4,
}  # fmt: skip


def is_rounded_to(found, told):
    """Whether a value agrees with three digits, of which the last may be off by one half."""
    step = 10.0 ** (np.floor(np.log10(abs(told))) - 2)
    return abs(found - told) <= 0.51 * step


def check(found, wanted, without=()):
    wrong = {
        name: (found[name], w) for name, w in wanted.items() if not is_rounded_to(found[name], w)
    }
    assert wrong == {}
    assert set(found) - set(wanted) == set(without)


def test_first_order_agrees_with_the_ibsi():
    values = PHANTOM[PHANTOM > 0]

    found = first_order(values.astype(float), values, voxel_mm3=8.0)
    check(found, FIRST_ORDER, without=["total energy"])
    # Not of the IBSI; by hand: the energy of 567 in voxels of 8 mm3.
    assert found["total energy"] == 567 * 8


def test_shape_agrees_with_the_ibsi():
    found = shape(PHANTOM > 0, (2.0, 2.0, 2.0))

    for name, (wanted, tolerance) in SHAPE.items():
        assert found[name] == pytest.approx(wanted, abs=tolerance), name
    assert len(found) == 14


def test_diameters_in_planes_by_hand():
    """Not of the IBSI: a bar of 1 x 2 x 3 voxels of 5 x 2 x 1.5 mm.

    Its mesh ends half a voxel beyond the outermost centres. Across z (y, x) = (-1, 0) and (3, 3)
    are furthest apart; across y (z, x) = (-2.5, 0) and (2.5, 3); across x (z, y) = (-2.5, 0) and
    (2.5, 2).
    """
    found = shape(np.ones((1, 2, 3), bool), (5.0, 2.0, 1.5))

    assert found["maximum diameter in slices"] == pytest.approx(np.hypot(4, 3))
    assert found["maximum diameter in rows"] == pytest.approx(np.hypot(5, 3))
    assert found["maximum diameter in columns"] == pytest.approx(np.hypot(5, 2))


def test_the_mesh_of_one_voxel_is_an_octahedron():
    # Six corners at half a voxel: volume 4/3 abc, and 8 triangles.
    a, b, c = 1.5, 1.0, 0.5
    corners = np.diag([a, b, c])
    area = 4 * np.linalg.norm(np.cross(corners[1] - corners[0], corners[2] - corners[0]))

    volume, found = mesh_size(np.ones((1, 1, 1), bool), (2 * a, 2 * b, 2 * c))
    assert volume == pytest.approx(4 / 3 * a * b * c)
    assert found == pytest.approx(area)


def test_a_mesh_is_closed_and_the_same_wherever_the_mask_lies():
    mask = np.random.default_rng(0).random((4, 5, 6)) < 0.5
    moved = np.pad(mask, ((3, 0), (0, 2), (5, 1)))
    ball = np.linalg.norm(np.indices((25, 25, 25)) - 12, axis=0) < 10

    assert mesh_size(moved, (2.0, 1.0, 1.5)) == pytest.approx(mesh_size(mask, (2.0, 1.0, 1.5)))
    assert mesh_size(ball, (1.0, 1.0, 1.0))[0] == pytest.approx(ball.sum(), rel=0.01)


def test_cooccurrence_agrees_with_the_ibsi():
    check(
        glcm(cooccurrences(Region(PHANTOM, 6))), GLCM, without=["maximal correlation coefficient"]
    )


def test_the_maximal_correlation_by_hand():
    """Not of the IBSI: of two levels it is the correlation's size, whatever the levels are.

    In the row 1 1 3 the pairs are (1, 1) twice, (1, 3) and (3, 1): shares 1/2, 1/4 and 1/4,
    margins 3/4 and 1/4, and so a correlation of (0 - 1/16) / (3/16).
    """
    found = glcm(cooccurrences(Region(np.array([[[1, 1, 3]]]), 3)))

    assert found["correlation"] == pytest.approx(-1 / 3)
    assert found["maximal correlation coefficient"] == pytest.approx(1 / 3)


def test_runs_zones_and_dependences_agree_with_the_ibsi():
    check(texture(Region(PHANTOM, 6)), TEXTURE)


def test_zones_of_a_level_may_touch_at_a_corner():
    two = Region(np.array([[[1, 2], [2, 1]], [[0, 0], [0, 1]]]), 2)

    found = zones(two)[0]
    assert found[0].tolist() == [0, 0, 1]
    assert found[1].tolist() == [0, 1, 0]


def test_bins_are_even_and_the_largest_value_is_in_the_last():
    values = np.array([[[0.0, 0.24, 0.25, 0.99, 1.0, 0.5]]])

    found = levels_of(values, values != 0.5, 4).levels
    assert found.ravel().tolist() == [1, 1, 2, 4, 4, 0]


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 2), (1, 6, 7), (2, 3, 4)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_map_that_is_the_same_everywhere_has_102_finite_features(size, level):
    values, everywhere = np.full(size, level), np.ones(size, bool)

    for high in (everywhere, ~everywhere):
        found = radiomics(values, everywhere, high, (8.0, 1.5, 1.5))
        assert len(found) == COUNT
        assert np.isfinite(list(found.values())).all()
        assert found["first order: variance"] == found["co-occurrence: contrast"] == 0


def test_features_of_an_absent_structure_are_0():
    prediction = graded_hearts_with_uncertainty(1, frames=1)[0].prediction
    frame = frame_of(prediction, 0)
    reaches = [*reaches_of(frame, SHORT_AXIS)[:2], None]

    found = radiomics_features(frame, reaches, np.full(3, 0.2))
    assert found.shape == (3, COUNT)
    assert (found[2] == 0).all()
    assert (found[0] != found[1]).sum() > 80


def test_the_estimator_learns_from_them_and_comes_back_from_a_file(tmp_path):
    graded = graded_hearts_with_uncertainty(2, frames=1)
    predictions = [one.prediction for one in graded]
    fitted = Uncertainty(SHORT_AXIS, features="ibsi", trees=5, min_samples_leaf=1).fit(graded)
    save_estimator(fitted, tmp_path / "e.safetensors")
    back = load_estimator(tmp_path / "e.safetensors", {"uncertainty": Uncertainty})

    assert back.features == "ibsi"
    said = [quality.dice for quality in fitted.predict(predictions)]
    assert [quality.dice for quality in back.predict(predictions)] == said
    scores = [one["LV"] for one in said]
    assert min(scores[::2]) > max(scores[1::2])


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match="unknown features 'pyradiomics'; known: own, ibsi"):
        Uncertainty(SHORT_AXIS, features="pyradiomics").fit(
            graded_hearts_with_uncertainty(1, frames=1)
        )
