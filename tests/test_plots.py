from keras_course import plots

import numpy as np


def test_curves_draw_each_series_against_its_epochs():
    figure = plots.curves({"train": [3.0, 2.0, 1.0], "test": [3.5, 2.5, 2.0]}, ylabel="loss (nats)", title="t")
    (axes,) = figure.axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2, 3], [1, 2, 3]]
    assert list(axes.lines[1].get_ydata()) == [3.5, 2.5, 2.0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epoch", "loss (nats)", "t")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "test"]


def test_a_band_is_the_mean_inside_the_range_of_the_repeats():
    figure = plots.band({"a": [[1.0, 2.0, 6.0], [3.0, 4.0, 0.0]]}, ylabel="y", x=[10, 20, 30])
    (axes,) = figure.axes
    assert list(axes.lines[0].get_ydata()) == [2.0, 3.0, 3.0]
    box = axes.collections[0].get_paths()[0].get_extents()
    assert (box.ymin, box.ymax, box.xmin, box.xmax) == (0.0, 6.0, 10.0, 30.0)


def test_bars_are_means_and_each_value_is_a_dot():
    figure = plots.bars({"plain": [0.5, 0.7, 0.9], "one": 0.4}, ylabel="accuracy")
    (axes,) = figure.axes
    assert [round(bar.get_height(), 6) for bar in axes.patches] == [0.7, 0.4]
    assert [len(dots.get_offsets()) for dots in axes.collections] == [3]


def test_images_keep_rows_columns_and_the_range_0_to_1():
    rows = np.linspace(-1, 2, 2 * 3 * 5 * 4).reshape(2, 3, 5, 4, 1)
    figure = plots.images(rows, row_labels=["a", "b"], titles=["x", "y", "z"])
    assert len(figure.axes) == 6
    shown = figure.axes[4].images[0].get_array()  # row 1, column 1
    np.testing.assert_allclose(shown, np.clip(rows[1, 1, ..., 0], 0, 1))


def test_a_matrix_shows_rows_downwards_and_writes_its_values():
    figure = plots.matrix([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], xlabel="x", ylabel="y", decimals=0)
    axes = figure.axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[(2, 0)] == "3"
    assert written[(0, 1)] == "4"


def test_scatter_has_a_legend_entry_per_group():
    figure = plots.scatter(np.eye(5)[:, :2], [0, 1, 2, 1, 0], xlabel="x", ylabel="y")
    assert len(figure.axes[0].get_legend().get_texts()) == 3
