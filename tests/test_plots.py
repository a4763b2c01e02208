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


def test_long_names_of_bars_are_tilted_and_short_ones_are_not():
    for names, angle in (
        (["1", "2", "3", "4", "5"], 0),
        (["filters left at random", "pixels in another order"] * 2, 20),
    ):
        values = {f"{name} {i}": i + 1.0 for i, name in enumerate(names)}
        (axes,) = plots.bars(values, ylabel="share").axes
        assert {label.get_rotation() for label in axes.get_xticklabels()} == {angle}


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


def test_what_is_no_number_costs_no_other_cell_its_contrast():
    figure = plots.matrix([[1.0, 9.0], [float("nan"), 2.0]], xlabel="x", ylabel="y", decimals=0)
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colours == {"1": "white", "9": "black", "nan": "black", "2": "white"}


def test_scatter_has_a_legend_entry_per_group():
    figure = plots.scatter(np.eye(5)[:, :2], [0, 1, 2, 1, 0], xlabel="x", ylabel="y")
    assert len(figure.axes[0].get_legend().get_texts()) == 3


def test_grouped_bars_stand_beside_each_other_around_their_group():
    figure = plots.grouped({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}, groups=["x", "y", "z"], ylabel="share")
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == [1, 2, 3, 4, 5, 6]
    assert np.allclose([bar.get_x() + bar.get_width() / 2 for bar in bars], [-0.2, 0.8, 1.8, 0.2, 1.2, 2.2])


def test_a_mosaic_puts_each_tile_in_its_place():
    tiles = np.arange(2 * 3)[:, None, None, None].reshape(2, 3, 1, 1, 1) / 6 * np.ones((2, 3, 4, 5, 1))
    shown = plots.mosaic(tiles).axes[0].images[0].get_array()
    assert shown.shape == (8, 15)
    np.testing.assert_allclose(shown[4:, 5:10], 4 / 6)


def test_overlays_lay_each_heat_map_over_its_image():
    pictures, heats = np.random.default_rng(0).random((3, 5, 4, 1)), np.random.default_rng(1).random((2, 3, 5, 4))
    figure = plots.overlays(pictures, heats, row_labels=["a", "b"], titles=["x", "y", "z"])
    below, above = figure.axes[5].images  # row 1, column 2
    np.testing.assert_allclose(below.get_array(), pictures[2, ..., 0])
    np.testing.assert_allclose(above.get_array(), heats[1, 2])


def test_a_histogram_shows_shares_that_sum_to_one():
    figure = plots.histogram(np.random.default_rng(0).normal(size=(5, 20)), xlabel="x", bins=7)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert len(heights) == 7
    assert np.isclose(sum(heights), 1)


def test_panels_are_a_flat_grid_in_the_look_of_the_course():
    drawing, grid = plots.panels(2, 3)
    assert len(grid) == len(drawing.axes) == 6
    assert not any(axes.spines["top"].get_visible() for axes in grid)
