"""Captions of figures say what trained networks have, and figures draw."""

import numpy as np
import pytest

from widelimit.validate.claims.dynamics import gallery


@pytest.fixture
def axes():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_three_architectures_have_the_fixed_points_of_the_caption(axes):
    found = gallery._planes("quick")
    for kind, modes in (("rnn", 16), ("gru", 16), ("lstm", 32)):
        index, values = found[f"{kind} index"], found[kind]
        assert sorted(index) == [0] * 4 + [1] * 4 + [2] and values.shape == (9, modes)
        assert ((np.abs(values) > 1).sum(1) == index).all()
    gallery._draw_planes(found, axes)
    assert {"RNN", "GRU", "LSTM"} <= {text.get_text() for text in axes.texts}


def test_a_sum_is_kept_along_a_line(axes):
    found = gallery._line("quick")
    assert found["passes"] and len(found["slow"]) == len(found["speeds"]) > 5
    line, readout = found["line"], found["readout"]
    along = (line[-1] - line[0]) @ readout / np.linalg.norm(line[-1] - line[0]) / np.linalg.norm(readout)
    assert abs(along) > 0.9  # what is read out is where along the line the state is
    gallery._draw_line(found, axes)
    shown = axes.get_legend_handles_labels()[1]
    assert "line attractor" in shown and "sink" in shown
