from keras_course.diagnostics.held_out import classed, copied, held_out, labels_of, parts
from keras_course.diagnostics.observation import Feed, Probe, Unit
from tests.diagnostics.typed import training

import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(300, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64") + (X[:, 1] > 1)


def asked(*feeds, **more):
    seen = training(X[:200], Y[:200], classes=3, **more)
    seen.asked = list(feeds)
    return held_out(seen)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        *[(name, True) for name in ("x_val", "X_test", "x_new", "xv", "Xte", "x_t", "holdout", "dev_x", "vx")],
        *[
            (name, False)
            for name in ("", "x", "new_w", "grid", "batch", "x_train", "all_test_and_train", "devices_x", "text")
        ],
    ],
)
def test_what_is_held_out_by_its_name(name, named):
    (found,) = asked(Feed(x=X[200:], name=name))
    assert found.named == named
    np.testing.assert_array_equal(found.train.x, X[:200])


@pytest.mark.parametrize(
    ("name", "rows", "count"), [("Xt", 180, 0), ("x_t", 180, 0), ("Xt", 60, 1), ("X_test", 180, 1), ("tx", 0, 1)]
)
def test_a_t_may_be_of_the_training(name, rows, count):
    """Where more than half of the training stands in it; a part of that in what is called a test is a leak."""
    assert len(asked(Feed(x=np.concatenate([X[:rows], X[200:]]), name=name))) == count


@pytest.mark.parametrize(
    ("feeds", "names"),
    [
        ({"x_valid": X[:60]}, ["x_valid"]),
        ({"x_valid": X[:60], "hold_x": X[100:200]}, ["x_valid", "hold_x"]),
        ({"x_valid": X[:60], "x_test": X[200:]}, []),  # something is held out
        ({"x_valid": X[150:201]}, []),
        ({"x_valid": X[:10]}, []),
        *[({name: X[:60]}, []) for name in ("x_eval", "x_train", "x", "x_t", "test_and_train")],
    ],
)
def test_what_is_held_out_by_its_name_and_stands_in_the_training(feeds, names):
    seen = training(X[:200], Y[:200], classes=3)
    seen.asked = [Feed(x=x, name=name) for name, x in feeds.items()]
    assert [held.name for held in copied(seen)] == names
    seen.validation = seen.train
    assert copied(seen) == []


def test_rows_of_several_inputs_are_the_same_where_all_inputs_are():
    """The same pictures beside other tables."""
    seen = training(X[:200], Y[:200], classes=3)
    seen.train.further = (np.arange(200.0)[:, None],)
    seen.asked = [Feed(x=X[:200], further=(np.arange(200.0, 400.0)[:, None],), name="x_test")]
    (found,) = held_out(seen)
    np.testing.assert_array_equal(found.asked.further[0].ravel(), np.arange(200.0, 400.0))
    assert asked(Feed(x=X[:200], name="x_test")) == [], "by the one input that both are known to have"
    again = (np.repeat(X[200:250], 2, axis=0), np.tile([0.0, 1.0], 50)[:, None])
    seen.asked = [Feed(x=again[0], further=(again[1],), names=("a", "b"), name="x_test")]
    (found,) = held_out(seen)
    assert (len(found.asked.x), found.asked.names) == (100, ("a", "b")), "each pair is a row"


def test_the_steps_of_a_loop_give_all_inputs():
    seen = training(X[:200], Y[:200], classes=3, interface="loop")
    first, second = slice(100), slice(100, 200)
    both = [Feed(x=X[r], further=(2 * X[r],), names=("a", "b"), labels={"y": Y[r]}) for r in (first, second)]
    seen.fed, seen.asked = both, [Feed(x=X[200:], further=(2 * X[200:],), name="x_test")]
    (found,) = held_out(seen)
    assert len(found.train.x) == len(found.train.y) == 200
    np.testing.assert_array_equal(found.train.further[0], 2 * found.train.x)
    assert found.train.names == ("a", "b")
    others = [(2 * X[first], np.ones((100, 2))), (2 * X[second], np.ones((100, 3)))]
    seen.fed = [Feed(x=X[r], further=o, labels={"y": Y[r]}) for r, o in zip((first, second), others, strict=True)]
    assert held_out(seen)[0].train.further == (), "one of them changes its form"
    seen.fed = [both[0], Feed(x=X[second], labels={"y": Y[second]})]
    assert held_out(seen)[0].train.further == (), "not of every row"


def test_what_the_training_has_is_not_held_out():
    assert asked(Feed(x=X[:200], name="x_test")) == []
    assert asked(Feed(x=X[50:250])) == []  # three quarters of the whole data
    (found,) = asked(Feed(x=X[80:260], name="x_test"))  # a leak of two thirds
    assert len(found.asked.x) == 180
    assert asked(Feed(x=X[80:260])) == []


@pytest.mark.parametrize(
    ("x", "labels", "n"),
    [
        (X[200:], Y[200:], 1),
        (X[200:299], Y[200:299], 0),
        (X[200:], X[200:, 0], 0),
        (X[200:] * np.nan, Y[200:], 0),
        (X[200:], (np.arange(100) < 2).astype("int64"), 0),
    ],
)
def test_parts_of_which_all_rows_have_a_class(x, labels, n):
    seen = training(X[:200], Y[:200], classes=3)
    seen.asked = [Feed(x=x, name="x_test", labels={"y_test": labels})]
    found = classed(seen)
    assert [one.name for one in found] == ["x_test"] * n
    for one in found:
        np.testing.assert_array_equal(one.classes, Y[:200])
        np.testing.assert_array_equal(one.other_classes, labels)


@pytest.mark.parametrize(
    ("name", "rows", "labels", "found"),
    [
        ("", slice(200, 300), True, ["what is asked about"]),
        ("", slice(200, 300), False, []),
        ("", slice(200, 299), True, []),
        ("grid", slice(200, 300), True, []),  # by its name it is something else
        ("x[check]", slice(200, 300), True, ["what is asked about"]),  # rows of a table by their numbers
        ("xb", slice(200, 300), True, ["what is asked about"]),  # a name for each batch says nothing
        ("inputs", slice(200, 300), False, []),
        ("x", slice(190, 300), True, []),  # may be all rows
        ("x_test", slice(200, 299), False, ["x_test"]),
        ("", slice(80, 200), True, []),
    ],
)
def test_rows_with_labels_are_held_out_without_a_name(name, rows, labels, found):
    seen = training(X[:200], Y[:200], classes=3)
    seen.asked = [Feed(x=X[rows], name=name, labels={"y": Y[rows]} if labels else {})]
    assert [part for _, _, part in parts(seen)] == found


def test_rows_of_another_form_or_too_few_are_none():
    assert asked(Feed(x=X[200:, :2]), Feed(x=X[200:219]), Feed(x=np.array([["a"] * 3] * 30))) == []


def test_rows_that_come_again_with_each_epoch_count_once():
    (found,) = asked(Feed(x=np.tile(X[200:], (3, 1)), name="xv", labels={"yv": np.tile(Y[200:], 3)}))
    np.testing.assert_array_equal(found.asked.x, X[200:])
    np.testing.assert_array_equal(found.asked.y, Y[200:])


def test_rows_with_gaps_are_all_of_them_rows():
    """Of a test set that is nothing but gaps, each row is like the others."""
    (found,) = asked(Feed(x=np.full((30, 3), np.nan, "float32"), name="x_test"))
    assert len(found.asked.x) == 30
    rows = np.repeat(X[200:240], 3, axis=0)
    rows[:60, 1] = np.inf
    (found,) = asked(Feed(x=rows, name="x_test"))
    assert len(found.asked.x) == 60 + 20


def test_the_rows_of_a_loop_are_those_of_its_steps():
    seen = training(X[:200] * 2, Y[:200], classes=3, interface="loop")
    seen.asked, seen.layers = [Feed(x=X[200:], name="xv")], [{"class": "Dense", "name": "dense", "config": {}}]
    assert held_out(seen) == []  # nobody knows what the model was given
    seen.layers = []  # of plain functions it is what entered
    np.testing.assert_array_equal(np.unique(held_out(seen)[0].train.x, axis=0), np.unique(2 * X[:200], axis=0))
    seen.fed = [Feed(x=np.tile(X[:200], (2, 1)), labels={"argument 1": np.tile(Y[:200], 2)})]
    (found,) = held_out(seen)
    np.testing.assert_array_equal(found.train.x, X[:200])
    np.testing.assert_array_equal(found.train.y, Y[:200])


@pytest.mark.parametrize(("prepared", "known"), [(False, True), (True, False)])
def test_labels_of_a_loop_that_stand_beside_no_rows_are_those_of_its_looks(prepared, known):
    """Of `loss(model(x[rows]), y[rows])` nothing has a name; the looks have both, unless something was done to x."""
    seen = training(X[:200], Y[:200], classes=3, interface="loop")
    seen.fed = [Feed(x=X[:200] * (2 if prepared else 1), labels={"rows": np.arange(200)})]
    seen.asked = [Feed(x=X[200:], name="xv")]
    (found,) = held_out(seen)
    assert (found.train.y is not None) is known
    if known:
        where = {row.tobytes(): label for row, label in zip(X, Y, strict=True)}
        assert all(where[row.tobytes()] == label for row, label in zip(found.train.x, found.train.y, strict=True))


@pytest.mark.parametrize("before", [[], [{"class": "Rescaling", "name": "scale"}]])
def test_the_rows_of_a_generator_are_those_of_the_looks_unless_a_layer_prepares_them(before):
    seen = training(X, Y, classes=3)
    seen.train, seen.asked = None, [Feed(x=X[200:], name="x_test")]
    seen.units = [Unit(name="d", kind="dense")]
    seen.layers = [{"class": "InputLayer", "name": "i"}, *before, {"class": "Dense", "name": "d"}]
    seen.probes = [Probe(step=i, x=X[i : i + 100], y=Y[i : i + 100]) for i in (0, 100)]
    found = held_out(seen)
    assert len(found) == (0 if before else 1)
    assert before or np.array_equal(found[0].train.x, X[:200])
    seen.probes = [Probe(step=0, x=X[:200, None, :, None], y=Y[:200])]  # as a convolution over a sequence sees them
    seen.asked = [Feed(x=X[200:, :, None], name="x_test")]
    assert before or np.array_equal(held_out(seen)[0].train.x, X[:200, :, None])


ONE_HOT = np.eye(3)[Y]


@pytest.mark.parametrize(
    ("name", "labels", "chosen"),
    [
        ("x_val", {"y_val": Y, "weights": X[:, 0]}, "y_val"),
        ("x_val", {"y_val": Y, "groups": Y + 1}, "y_val"),
        ("val_images", {"val_labels": Y, "test_labels": Y + 1}, "val_labels"),
        ("xv", {"yv": Y, "yt": Y + 1}, "yv"),
        ("Xte", {"yte": Y, "ytr": Y + 1}, "yte"),
        ("rows", {"kind": Y, "number": np.arange(300)}, "kind"),  # no name says it, and most numbers are no classes
        ("x_val", {"a": Y, "b": Y + 1}, None),
        ("", {"a": Y, "b": Y + 1}, None),
        ("", {"a": Y, "b": Y}, "a"),
        ("x_val", {"y_val": Y[:30]}, None),
        ("x_val", {"y_val": Y.astype(str)}, None),
        ("x_val", {}, None),
    ],
)
def test_the_labels_are_those_of_the_form_of_training_whose_name_goes_with_the_rows(name, labels, chosen):
    found = labels_of(Feed(x=X, name=name, labels=labels), Y[:50])
    assert found is None if chosen is None else found is labels[chosen]
    assert labels_of(Feed(x=X, name=name, labels=labels), None) is None


def test_numbers_of_classes_and_rows_with_a_one_are_the_same_labels():
    numbers = Y.astype("int64")
    for given, like, expected in (
        (numbers, ONE_HOT[:50], ONE_HOT),
        (numbers[:, None], ONE_HOT[:50], ONE_HOT),
        (ONE_HOT, numbers[:50], numbers),
        (ONE_HOT, numbers[:50, None], numbers[:, None]),
        (numbers, numbers[:50, None], numbers[:, None]),
        (numbers[:, None], numbers[:50], numbers),
    ):
        np.testing.assert_array_equal(labels_of(Feed(x=X, name="x_test", labels={"y_test": given}), like), expected)
    both = {"y_test": numbers, "one_hot_test": ONE_HOT}
    np.testing.assert_array_equal(labels_of(Feed(x=X, name="x_test", labels=both), ONE_HOT[:50]), ONE_HOT)
    for other in (numbers + 1, numbers - 1, X[:, 0]):
        assert labels_of(Feed(x=X, name="x_test", labels={"y_test": other}), ONE_HOT[:50]) is None
