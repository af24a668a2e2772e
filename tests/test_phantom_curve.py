import numpy as np
import pytest

from semiqc.phantom.curve import PulseTiming, distension, draw_pulse, draw_timing, filling


@pytest.fixture(params=range(5))
def rng(request):
    return np.random.default_rng(request.param)


def test_a_ventricle_is_full_at_frame_0_and_empty_near_end_systole(rng):
    timing = draw_timing(rng)
    curve = filling(200, timing)

    assert curve[0] == curve.max() == 1
    assert 0 <= curve.min() < 0.005
    assert curve.argmin() / 200 == pytest.approx(timing.end_systole, abs=0.006)
    assert 0.32 <= timing.end_systole <= 0.42


def test_a_ventricle_ejects_fills_fast_rests_and_gets_the_atrial_kick(rng):
    timing = draw_timing(rng)
    curve = filling(1000, timing)
    slope = np.gradient(curve, 1 / 1000)
    empty, rapid, kick = (
        round(1000 * at) for at in (timing.end_systole, timing.filling_end, timing.kick_start)
    )

    assert (np.diff(curve[:empty]) <= 0).all()
    assert (np.diff(curve[empty + 1 :]) >= 0).all()
    diastasis = slope[rapid + 20 : kick - 20].mean()
    assert slope[empty:rapid].max() > 8 * diastasis
    assert slope[kick : kick + 140].max() > 4 * diastasis
    assert curve[kick] == pytest.approx(1 - timing.kick_share, abs=0.01)


def test_the_cycle_closes(rng):
    curve = filling(50, draw_timing(rng))

    assert abs(curve[-1] - curve[0]) < 0.01


def test_more_frames_sample_the_same_curve(rng):
    timing = draw_timing(rng)

    np.testing.assert_allclose(filling(60, timing)[::3], filling(20, timing))


def test_an_aorta_waits_widens_fast_and_recoils_slowly():
    curve = distension(100, PulseTiming(foot=0.05, peak=0.26, recoil=0.3, notch=0.05))

    assert curve.min() == pytest.approx(0, abs=0.01)
    assert curve.max() == pytest.approx(1, abs=0.01)
    assert curve.argmax() == 26
    assert (curve[:5] < 0.05).all()
    half_way_down = 26 + int(np.argmax(curve[26:] < 0.5))
    half_way_up = int(np.argmax(curve > 0.5))
    assert half_way_down - 26 > 1.3 * (26 - half_way_up)


def test_the_dicrotic_notch_dents_the_recoil():
    smooth = distension(200, PulseTiming(0.05, 0.26, 0.3, 0.0))
    notched = distension(200, PulseTiming(0.05, 0.26, 0.3, 0.08))

    assert (smooth - notched).argmax() == pytest.approx(80, abs=1)
    assert (smooth - notched).max() > 0.06


def test_the_aortic_cycle_closes(rng):
    curve = distension(100, draw_pulse(rng))

    assert abs(curve[-1] - curve[0]) < 0.05
