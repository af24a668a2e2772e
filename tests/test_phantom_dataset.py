import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from semiqc.files.store.reader import Store
from semiqc.images.resampling import to_source
from semiqc.phantom import GROUPS, KINDS, write_phantoms
from semiqc.phantom.anatomy import GroupDistributions, HeartAnatomy, Infarct, Papillary
from semiqc.phantom.aorta import Mediastinum, Vessel
from semiqc.phantom.artefacts import Artefacts
from semiqc.phantom.curve import CardiacTiming, PulseTiming
from semiqc.phantom.dataset import slice_distance_mm
from semiqc.phantom.draws import Uniform
from semiqc.phantom.looks import Looks
from semiqc.phantom.scanner import PROFILES, ScannerProfile
from semiqc.phantom.thorax import Thorax
from semiqc.phantom.tissue import Signals
from semiqc.schemes import AORTA, SHORT_AXIS

SMALL = {"size": 40, "slices": 3, "frames": 2}


def loaded(path):
    return [study.load() for study in Store(path)]


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantoms") / "seven.h5"
    write_phantoms(path, studies=7, seed=4, **SMALL)
    return path


def test_a_store_holds_what_was_asked_for(seven):
    studies = loaded(seven)

    assert Store(seven).scheme == SHORT_AXIS
    assert [study.name for study in studies] == [f"phantom-{n:04d}" for n in range(1, 8)]
    assert all(study.image.shape == (1, 2, 3, 40, 40) for study in studies)
    assert all(study.labelled_frames == (0, 1) for study in studies)


def test_groups_take_turns(seven):
    groups = [study.group for study in loaded(seven)]

    assert groups[:5] == list(GROUPS)
    assert groups[5:] == list(GROUPS)[:2]


def test_a_study_does_not_depend_on_how_many_there_are(seven, tmp_path):
    write_phantoms(tmp_path / "two.h5", studies=2, seed=4, **SMALL)

    for few, many in zip(loaded(tmp_path / "two.h5"), loaded(seven), strict=False):
        np.testing.assert_array_equal(few.image, many.image)
        np.testing.assert_array_equal(few.labels, many.labels)
        np.testing.assert_array_equal(few.geometry.affine, many.geometry.affine)


def test_another_seed_gives_other_studies(seven, tmp_path):
    write_phantoms(tmp_path / "other.h5", studies=1, seed=5, **SMALL)

    assert (loaded(tmp_path / "other.h5")[0].image != loaded(seven)[0].image).any()


def test_labels_go_back_to_the_source_as_they_are(seven):
    study = loaded(seven)[0]

    np.testing.assert_array_equal(to_source(study.labels[1], study.geometry), study.labels[1])


def test_a_store_of_aortas_has_their_scheme(tmp_path):
    write_phantoms(tmp_path / "aorta.h5", kind="aorta", studies=2, size=40, frames=6)

    assert Store(tmp_path / "aorta.h5").scheme == AORTA
    assert loaded(tmp_path / "aorta.h5")[1].image.shape == (1, 6, 1, 40, 40)


def test_only_the_profiles_asked_for_are_drawn(tmp_path, monkeypatch):
    drawn, shares = [], []
    from semiqc.phantom import dataset

    def recorded(seed, *, profile, artefacts, **settings):
        drawn.append(profile)
        shares.append(artefacts)
        return short_axis(seed, profile=profile, artefacts=artefacts, **settings)

    short_axis = dataset.short_axis_study
    monkeypatch.setattr(dataset, "short_axis_study", recorded)
    asked = ["3T-fast", "1.5T-soft"]
    write_phantoms(tmp_path / "a.h5", studies=12, profiles=asked, artefacts=0.4, **SMALL)

    assert set(drawn) == set(asked)
    poor = [severity for severity in shares if severity >= 0.5]
    assert 1 <= len(poor) <= 9
    assert all(severity < 0.2 for severity in shares if severity not in poor)


def test_the_caller_is_told_of_every_study(tmp_path):
    told = []
    write_phantoms(tmp_path / "a.h5", studies=3, on_progress=lambda *at: told.append(at), **SMALL)

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_file_is_replaced_only_when_asked(seven):
    with pytest.raises(FileExistsError, match=r"seven\.h5"):
        write_phantoms(seven, studies=1, **SMALL)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "brain"}, f"unknown kind of phantom 'brain'; known: {', '.join(KINDS)}"),
        ({"studies": 0}, "studies must be at least 1, got 0"),
        ({"artefacts": 2.0}, r"artefacts must lie in \[0, 1\], got 2.0"),
        ({"variety": "any"}, "unknown variety 'any'; known: usual, random"),
        ({"variety": "random", "kind": "aorta"}, "'random' is for short-axis phantoms"),
        ({"profiles": []}, "at least one scanner profile, got none"),
        ({"profiles": ["2T"]}, "unknown scanner profile '2T'"),
    ],
)
def test_a_mistake_is_named_and_leaves_no_file(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        write_phantoms(tmp_path / "a.h5", **settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("slices", "distance"), [(3, 14.0), (7, 12.0), (8, 10.5), (60, 4.0)])
def test_a_stack_keeps_about_the_length_of_a_heart(slices, distance):
    assert slice_distance_mm(slices) == distance


PAGE = (Path(__file__).parents[1] / "docs" / "phantom.md").read_text(encoding="utf-8")


def section(name):
    (found,) = (
        part
        for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)
        if part.startswith(f"`{name}`")
    )
    return found


def row(name, field):
    (found,) = re.findall(rf"^\| `{field}` \|(.+)\|$", section(name), flags=re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


@pytest.mark.parametrize("field", fields(Signals), ids=lambda field: field.name)
def test_the_signals_on_the_page_are_those_of_the_profiles(field):
    expected = [getattr(profile.signals, field.name) for profile in PROFILES.values()]

    assert [float(cell) for cell in row("Signals", field.name)] == expected


@pytest.mark.parametrize(
    ("field", "cell"),
    [("snr", "{:g}"), ("bias", "{:g}"), ("apodisation", "{:g}"), ("orientation_deg", "{:g}")],
)
def test_the_profiles_on_the_page_are_those_of_the_code(field, cell):
    expected = [cell.format(getattr(profile, field)) for profile in PROFILES.values()]

    assert row("ScannerProfile", field)[1:] == expected


@pytest.mark.parametrize("parameter", [f.name for f in fields(GroupDistributions)][:-1])
def test_the_groups_on_the_page_are_those_of_the_code(parameter):
    (cells,) = re.findall(
        rf"^\| `{parameter}` \|(.+)\|$", PAGE.split("\n## `HeartAnatomy`")[0], re.MULTILINE
    )
    _, *written = [cell.strip() for cell in cells.split("|")]
    drawn = [getattr(group, parameter) for group in GROUPS.values()]
    healthy, *others = [as_written(distribution) for distribution in drawn]

    assert written == [healthy, *("" if other == healthy else other for other in others)]


def as_written(distribution):
    if isinstance(distribution, Uniform):
        return f"U({distribution.low:g}, {distribution.high:g})"
    of = distribution
    return f"N({of.mean:g}, {of.sd:g}) in [{of.low:g}, {of.high:g}]"


@pytest.mark.parametrize(
    "parameters",
    [
        HeartAnatomy, CardiacTiming, Papillary, Infarct, Thorax, Artefacts, ScannerProfile,
        Mediastinum, Vessel, PulseTiming, Looks,
    ],
)  # fmt: skip
def test_every_parameter_is_documented(parameters):
    missing = [
        f.name for f in fields(parameters) if f"| `{f.name}` |" not in section(parameters.__name__)
    ]

    assert not missing
