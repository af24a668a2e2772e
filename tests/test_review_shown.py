import io
import json
import re
from threading import Thread, get_ident

import numpy as np
import pytest
from PIL import Image
from review_builders import broken, disc, item, material

from semiqc.doors.regular import UnusableError
from semiqc.review.outlines import outlines, path_of
from semiqc.review.sheet import Sheet, film
from semiqc.review.shown import Shown
from semiqc.schemes import SHORT_AXIS, UNLABELLED


def corners(path):
    return np.array([[float(n) for n in pair] for pair in re.findall(r"([\d.]+) ([\d.]+)", path)])


def test_every_tile_stands_where_the_sheet_says():
    image = np.zeros((2, 5, 3, 20, 12), np.float32)
    for frame in range(5):
        for number in range(3):
            image[1, frame, number] = 10 * frame + number
    sheet = Sheet.of(image.shape)
    shown = np.asarray(Image.open(io.BytesIO(film(image, 1))))

    assert shown.shape == sheet.size
    for rank in range(15):
        row, column = rank // sheet.columns, rank % sheet.columns
        top, left = row * sheet.pitch[0], column * sheet.pitch[1]
        tile = shown[top : top + sheet.height, left : left + sheet.width]
        wanted = 255 * min(10 * (rank // 3) + rank % 3, 42) / 42
        assert np.abs(tile - wanted).max() < 3


def test_a_study_too_large_for_a_browser_is_thinned_out():
    sheet = Sheet.of((1, 4, 2, 100, 60), most=15_000)

    assert sheet.step == 2
    assert (sheet.height, sheet.width) == (50, 30)


def test_a_film_of_one_value_or_with_nan_has_a_picture():
    image = np.full((1, 1, 1, 9, 9), np.nan, np.float32)

    assert Image.open(io.BytesIO(film(image, 0))).size == (16, 16)
    assert Image.open(io.BytesIO(film(np.zeros_like(image), 0))).size == (16, 16)


def test_an_outline_encloses_its_mask():
    mask = disc()
    points = corners(path_of(mask))
    x, y = points.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2

    assert area == pytest.approx(mask.sum(), rel=0.03)
    assert points.mean(axis=0) == pytest.approx([8.5, 11.5], abs=0.1)


def test_an_outline_is_closed_at_the_border_and_around_a_hole():
    mask = np.ones((6, 7), bool)
    mask[2:4, 3] = False
    path = path_of(mask)

    assert path.count("M") == path.count("Z") == 2
    assert corners(path).min() == 0
    assert corners(path).max(axis=0).tolist() == [7, 6]


def test_outlines_are_of_each_structure_where_it_is():
    labels = np.full((2, 2, 24, 24), UNLABELLED, np.int8)
    labels[1, 0][disc()] = 3
    found = outlines(labels, SHORT_AXIS.structures)

    assert [[list(one) for one in frame] for frame in found] == [[[], []], [["LV"], []]]


def test_what_is_told_of_a_study_holds_no_estimate():
    one = item("a", scores={"svr": 0.25})
    about = json.loads(Shown([one]).about(0))

    assert about["frames"] == 3
    assert about["structures"][0]["name"] == "LV"
    assert about["structures"][0]["curve"] == [pytest.approx(0.18)] * 3
    assert not {"study", "scores", "expert", "slice_dice", "heat"} & set(about)


def test_a_study_that_cannot_be_read_is_told_by_name():
    shown = Shown([broken("torn")])

    with pytest.raises(UnusableError, match=r"torn\.nii\.gz: cut short"):
        shown.film(0, 0)


def test_few_studies_are_kept_ready():
    read = []

    def counted():
        read.append(1)
        return material()

    items = [type(item("a"))(name, name, counted) for name in "abc"]
    shown = Shown(items, most=1)
    for number in (0, 0, 1, 2, 0):
        shown.film(number, 0)

    assert len(read) == 4


def test_one_thread_makes_the_films_of_all_requests():
    threads = set()

    def told():
        threads.add(get_ident())
        return material()

    shown = Shown([type(item("a"))(name, name, told) for name in "abc"])
    asking = [Thread(target=shown.film, args=(number, 0)) for number in range(3)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()

    assert len(threads) == 1
