from keras_course.tuning import figures
from keras_course.tuning.figures import OFF, Scale
from keras_course.tuning.importance import Effect

import numpy as np
import pytest


def test_numbers_stand_by_size_or_by_their_logarithm_and_words_in_their_order():
    linear, log = Scale([1, 10, 100, None]), Scale([1.0, 10.0, 100.0], log=True)
    assert [linear.place(v) for v in (1, 10, 100)] == pytest.approx([0, 1 / 11, 1])
    assert [log.place(v) for v in (1, 10, 100)] == pytest.approx([0, 0.5, 1])
    assert linear.place(None) == OFF < 0
    words = Scale(["8 16", "8", "16 32 64"], choices=("8", "8 16", "16 32 64"))
    assert words.ticks() == {"8": 0.0, "8 16": 0.5, "16 32 64": 1.0}
    assert Scale([True, False, True]).ticks() == {"False": 0.0, "True": 1.0}
    assert Scale(["relu"]).ticks() == {"relu": 0.5}


def test_many_values_have_few_ticks_each_at_its_place():
    whole = Scale(list(range(4, 65, 2)))
    assert whole.ticks() == {"4": 0.0, "24": pytest.approx(20 / 60), "44": pytest.approx(40 / 60), "64": 1.0}
    log = Scale([10.0**k for k in np.linspace(-4, -1, 12)], log=True)
    assert list(log.ticks()) == ["0.0001", "0.001", "0.01", "0.1"]
    assert list(log.ticks().values()) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert not Scale([0, 1], log=True).log, "0 has no logarithm"


def test_curves_of_the_best_are_coloured_and_named_and_the_others_grey():
    curves = {"trial 0": [0.1, 0.2], "trial 1": [0.3, 0.4, 0.5], "trial 2": [0.2]}
    every, closer = figures.learning_curves(curves, first=["trial 1"], metric="val_accuracy").axes
    assert [text.get_text() for text in closer.get_legend().get_texts()] == ["trial 1"]
    assert [list(line.get_ydata()) for line in every.lines] == [[0.1, 0.2], [0.2], [0.3, 0.4, 0.5]]
    assert [line.get_color() == figures.GREY for line in every.lines] == [True, True, False]
    assert [list(line.get_ydata()) for line in closer.lines] == [[0.3, 0.4, 0.5]]
    assert every.get_ylabel() == "val_accuracy"


@pytest.mark.parametrize("maximise", [True, False])
def test_a_line_for_each_trial_and_the_best_on_top(maximise):
    rows = [{"rate": 0.1, "skip": True}, {"rate": 0.4, "skip": None}, {"rate": 0.2, "skip": False}]
    scores = [0.5, 0.9, 0.72]
    drawing = figures.parallel_coordinates(rows, scores, metric="score", maximise=maximise)
    (axes,) = drawing.axes
    lines = [line for line in axes.lines if len(line.get_ydata()) == 3]
    assert len(lines) == 3
    thick = max(lines, key=lambda line: line.get_linewidth())
    assert thick is lines[-1]
    assert list(thick.get_ydata()) == ([1, OFF, 1] if maximise else [0, 1, 1])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["rate", "skip", "score\n(by rank)"]
    places = {text.get_text(): text.xy for text in axes.texts}
    assert places["–"] == (1, OFF)
    assert [places[text] for text in ("0.5", "0.72", "0.9")] == [
        (2, y) for y in ((0, 0.5, 1) if maximise else (1, 0.5, 0))
    ]


def test_effects_are_bars_with_two_errors_and_grey_when_not_clear():
    singles = [Effect(("rate",), 0.5, 0.1, True), Effect(("units",), 0.1, 0.1)]
    drawing = figures.effects(singles, [Effect(("rate", "units"), 0.05, 0.01)])
    left, right = drawing.axes
    assert [bar.get_width() for bar in left.patches] == [0.5, 0.1]
    colours = [bar.get_facecolor()[:3] for bar in left.patches]
    assert colours[0] != colours[1] == (0.75, 0.75, 0.75)
    assert [text.get_text() for text in right.get_yticklabels()] == ["rate × units"]
    np.testing.assert_allclose(left.collections[0].get_segments()[0][:, 0], [0.3, 0.7])
    assert len(figures.effects(singles, []).axes) == 1


def test_slices_show_the_trials_that_have_the_parameter():
    rows = [{"rate": 0.1, "width": 3}, {"rate": 0.4}, {"rate": 0.2, "width": 5}]
    drawing = figures.slices(rows, [0.5, 0.9, 0.7], ["rate", "width"], metric="score")
    first, second = drawing.axes
    np.testing.assert_allclose(first.collections[0].get_offsets()[:, 1], [0.5, 0.9, 0.7])
    np.testing.assert_allclose(second.collections[0].get_offsets(), [[0, 0.5], [1, 0.7]])
    assert (first.get_xlabel(), first.get_ylabel(), second.get_xlabel()) == ("rate", "score", "width")
