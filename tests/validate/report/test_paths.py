"""A path in few characters leads where the long one led."""

import numpy as np
import pytest
from tests.validate.report.paths import places

from widelimit.validate.report.paths import compact


def told(line, closed=False):
    return "M " + " L ".join(f"{x:.6f} {y:.6f}" for x, y in line) + (" z" if closed else "")


def away(point, line):
    """The distance of a point from a line through places."""
    a, b = np.array(line[:-1]), np.array(line[1:])
    along = b - a
    squares = (along**2).sum(1)
    share = ((point - a) * along).sum(1) / np.where(squares > 0, squares, 1)
    return np.hypot(*(a + np.clip(share, 0, 1)[:, None] * along - point).T).min()


def test_places_of_a_rough_line_are_within_a_tenth_of_a_pixel():
    line = np.random.default_rng(1).uniform(-50, 300, (400, 2))
    found = places(compact(told(line)))
    np.testing.assert_allclose(found, line, atol=0.0501)


@pytest.mark.parametrize("closed", [False, True])
def test_a_smooth_curve_keeps_its_shape_in_a_third_of_the_characters(closed):
    angle = np.linspace(0, 6.0, 900)
    curve = np.c_[150 + 120 * np.cos(angle), 100 + 80 * np.sin(2 * angle)]
    text = compact(told(curve, closed))
    assert text.endswith("z") == closed and len(text) < len(told(curve)) / 10
    found = places(text)
    assert max(away(point, found) for point in curve) < 0.06 + 0.0708
    assert max(away(np.array(point), curve) for point in found) < 0.0708  # half a tenth each way


def test_steps_and_marks_keep_their_corners():
    assert compact("M 0 0 L 0 10 L 5 10 L 5 30.25 L 9 30.25") == "M0 0v10h5v20.2h4"
    assert compact("M 0 0 L 4 0 z M 10 10 L 10 14 z") == "M0 0h4zM10 10v4z"


def test_curves_follow_the_pen():
    data = "M 1 2 C 1.5 2.5 3 4 5 5 Q 6 6 7 4 L 9 4"
    text = compact(data)
    assert np.allclose(places(text), [(1, 2), (5, 5), (7, 4), (9, 4)])
    assert text == "M1 2c.5 .5 2 2 4 3q1 1 2-1h2"


def test_after_a_closed_piece_the_pen_is_at_its_start():
    assert np.allclose(places(compact("M 1 1 L 4 1 L 4 4 z L 1 9")), [(1, 1), (4, 1), (4, 4), (1, 9)])


def test_errors_do_not_add_up():
    x = np.arange(1000) * 0.34
    line = np.c_[x, np.where(np.arange(1000) % 2, 1.0, -1.0)]
    assert places(compact(told(line)))[-1] == pytest.approx(line[-1], abs=0.0501)


def test_a_path_is_moved():
    assert compact("M 0 0 L 1 1", 10.04, -3) == "M10-3l1 1"


def test_places_that_coincide_are_told_once():
    assert compact("M 5 5 L 5 5 L 5.01 5 L 5 5") == "M5 5"
