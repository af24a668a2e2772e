import numpy as np
import pytest

from qc.base import Graded
from qc.verdicts import SimulatedReader, Verdict, balanced, read_verdicts, with_verdict
from semiqc.schemes import SHORT_AXIS, UNLABELLED, LabelScheme, Structure
from semiqc.study import Prediction

SPACING = (8.0, 1.5, 1.25)
LV_ONLY = LabelScheme("lv", ("background", "other", "wall", "LV"), (SHORT_AXIS.structure("LV"),))


def cavity(*voxels):
    """Labels ``[T, 1, 10, 20]`` whose LV has so many voxels in each frame."""
    labels = np.zeros((len(voxels), 1, 10, 20), dtype=np.int8)
    for frame, count in enumerate(voxels):
        labels[frame].reshape(-1)[:count] = 3
    return labels


def graded(predicted, reference, **known):
    image = np.zeros((1, *predicted.shape), dtype=np.float32)
    return Graded(Prediction("a", image, predicted, SPACING), reference, **known)


def read(predicted, reference, scheme=LV_ONLY, **bounds):
    return SimulatedReader(scheme, **bounds)(graded(predicted, reference))


def test_a_faithful_prediction_is_good():
    assert read(cavity(100, 50), cavity(100, 50)) == Verdict(True)


def test_a_low_dice_in_one_frame_is_not_averaged_away():
    reference = cavity(100, 100, 100)
    predicted = cavity(100, 100, 50)

    found = read(predicted, reference, max_ef_error=90)

    # 2 x 50 of 150.
    assert found == Verdict(False, "Dice of LV is 0.67 in frame 2")
    assert read(predicted, reference, min_dice=0.66, max_ef_error=90).is_good


def test_a_dice_exactly_at_the_bound_is_good():
    # 2 x 60 of 160 = .75; 2 x 70 of 200 = .7, which single precision has below .7.
    assert read(cavity(60), cavity(100), min_dice=0.75).is_good
    assert not read(cavity(59), cavity(100), min_dice=0.75).is_good
    crossing = cavity(100)
    crossing[0].reshape(-1)[:100] = np.roll(cavity(100)[0].reshape(-1), 30)[:100]
    crossing[0].reshape(-1)[100:130] = 3
    assert read(crossing, cavity(100), min_dice=0.7).is_good


def test_an_ejection_fraction_that_is_off_is_erroneous():
    reference, predicted = cavity(100, 50), cavity(100, 62)

    assert read(predicted, reference) == Verdict(False, "EF of LV is 38 %, not 50 %")
    assert read(predicted, reference, max_ef_error=12.5).is_good


def test_only_labelled_frames_are_judged():
    reference = cavity(100, 70, 50)
    reference[1] = UNLABELLED
    predicted = cavity(100, 0, 50)

    assert read(predicted, reference).is_good


def test_unlabelled_voxels_do_not_count_in_the_ejection_fraction():
    reference = cavity(100, 50)
    reference[:, :, 8:] = UNLABELLED
    predicted = cavity(100, 50)
    predicted[1, :, 8:] = 3

    assert read(predicted, reference).is_good


def test_a_missed_structure_is_erroneous():
    found = read(cavity(0, 0), cavity(100, 50), min_dice=0)

    assert found == Verdict(
        False, "Dice of LV is 0.00 in frame 0; LV was not found, its EF is 50 %"
    )


def test_a_structure_found_where_there_is_none_is_erroneous():
    assert read(cavity(10), cavity(0)).reason == "Dice of LV is 0.00 in frame 0"


def test_a_structure_in_neither_speaks_neither_for_nor_against():
    assert read(cavity(100, 50), cavity(100, 50), scheme=SHORT_AXIS).is_good


def test_one_labelled_frame_tells_no_ejection_fraction():
    reference = cavity(100, 50)
    reference[1] = UNLABELLED

    assert read(cavity(100, 5), reference).is_good


def test_a_scheme_without_cavities_is_judged_by_dice():
    scheme = LabelScheme("disc", LV_ONLY.classes, (Structure("disc", (3,)),))

    assert read(cavity(100, 50), cavity(100, 50), scheme).is_good
    assert not read(cavity(100, 20), cavity(100, 50), scheme).is_good


def test_severity_is_the_worst_fault_in_multiples_of_its_bound():
    reader = SimulatedReader(LV_ONLY, min_dice=0.8, max_ef_error=10)

    # Dice 2 x 50 of 112 misses .107 of .2; the EF is 38 % in place of 50 %.
    assert reader.severity(graded(cavity(100, 62), cavity(100, 50))) == pytest.approx(1.2)
    assert reader.severity(graded(cavity(0, 0), cavity(100, 50))) == np.inf
    assert reader.severity(graded(cavity(0, 0), cavity(0, 0))) == 0


def missing(*voxels):
    """Graded predictions that lack so many of the 100 voxels of one frame."""
    return [graded(cavity(100 - count), cavity(100)) for count in voxels]


def verdicts(reader, several):
    return [reader(one).is_good for one in several]


def test_a_reader_who_finds_nothing_good_is_made_less_strict():
    poor = missing(90, 60, 75, 80)

    reader = balanced(SimulatedReader(LV_ONLY), poor, 0.25)

    assert verdicts(SimulatedReader(LV_ONLY), poor) == [False] * 4
    assert verdicts(reader, poor) == [False, True, False, False]
    # Both bounds are widened by the same factor.
    factor = (1 - reader.min_dice) / 0.3
    assert reader.max_ef_error == pytest.approx(10 * factor)


def test_a_reader_who_finds_nothing_erroneous_is_made_stricter():
    excellent = missing(0, 8, 2, 4)

    assert verdicts(balanced(SimulatedReader(LV_ONLY), excellent, 0.5), excellent) == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "several",
    [missing(0, 90, 10, 5), missing(100, 100), missing(0, 0), missing(90), missing(9), []],
)
def test_a_reader_who_need_not_or_cannot_be_content_stays(several):
    reader = SimulatedReader(LV_ONLY)

    assert balanced(reader, several, 0.25) == reader


def test_structures_that_are_lost_never_become_good():
    hopeless = [graded(cavity(0, 0), cavity(100, 50))] * 3 + [
        graded(cavity(30, 15), cavity(100, 50))
    ]

    reader = balanced(SimulatedReader(LV_ONLY), hopeless, 0.5)

    assert verdicts(reader, hopeless) == [False, False, False, True]
    with pytest.raises(ValueError, match=r"min_share must lie in \[0, .5\], got 0.7"):
        balanced(reader, hopeless, 0.7)


def test_without_labels_there_is_no_verdict():
    with pytest.raises(ValueError, match="a: the reference has no labelled frame"):
        read(cavity(5), np.full_like(cavity(5), UNLABELLED))
    with pytest.raises(ValueError, match="a: a simulated reader needs a reference"):
        SimulatedReader(LV_ONLY)(graded(cavity(5), None, is_good=True))


def test_a_verdict_is_carried_by_a_copy():
    before = graded(cavity(5), cavity(5))

    assert with_verdict(before, Verdict(False, "no")).is_good is False
    assert before.is_good is None


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"min_dice": 70}, r"min_dice must lie in \[0, 1\), got 70"),
        ({"max_ef_error": 0}, "max_ef_error must be positive, got 0"),
    ],
)
def test_a_senseless_bound_is_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        SimulatedReader(LV_ONLY, **bounds)


def test_a_readers_table_is_read(tmp_path):
    table = tmp_path / "verdicts.csv"
    # A spreadsheet adds a byte order mark, spaces and columns of its own.
    table.write_bytes("\ufeffstudy,verdict,remark\na,good,\nb, Erroneous ,RV lost\n".encode())

    assert read_verdicts(table) == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("study\na\n", "lacks the columns verdict"),
        ("", "lacks the columns study, verdict"),
        ("study,verdict\n", "holds no verdict"),
        ("study,verdict\na,fine\n", "line 2: verdict on a must be good or erroneous, got 'fine'"),
        ("study,verdict\na\n", "line 2: verdict on a must be good or erroneous, got ''"),
        ("study,verdict\n,good\n", "line 2: names no study"),
        ("study,verdict\na,good\na,erroneous\n", "line 3: a second verdict on a"),
        (b"\xff\xfe\x00", "expected text in UTF-8"),
    ],
)
def test_a_faulty_table_is_refused_by_name(tmp_path, content, message):
    table = tmp_path / "verdicts.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ValueError, match=f"verdicts.csv.*{message}"):
        read_verdicts(table)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none.csv: no such file"):
        read_verdicts(tmp_path / "none.csv")
