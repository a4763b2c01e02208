"""The text on the causes: complete, current, and true to the tags."""

import math
import re

from keras_course.diagnostics import guide
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.points import QUANTITIES


def test_every_cause_has_its_page_and_only_one():
    names = [page["name"] for page in guide.pages()]
    assert sorted(names) == sorted(CAUSES)


def test_docs_are_current():
    assert guide.FILE.read_text("utf-8") == guide.markdown(), "run `python -m keras_course.diagnostics.guide`"


def test_every_measured_quantity_is_explained():
    assert all(f"`{quantity}/<layer>`" in guide.HEAD for quantity in QUANTITIES)


def test_tags_that_the_text_names_are_written():
    known = {*QUANTITIES, "weights/<variable>", "labels/entropy", "inputs/images", "labels"}
    known |= {f"inputs/{name}" for name in ("mean", "spread", "min", "max", "neighbour_correlation")}
    known |= {f"outputs/{name}" for name in ("min", "max", "row_sum", "spread_over_inputs")}
    for page in guide.pages():
        assert set(re.findall(r"`([^`]+)`", page["symptoms"] + page["apart"])) <= known, page["name"]


def test_the_floors_of_a_double_softmax_are_those_of_the_formula():
    text = next(page for page in guide.pages() if page["name"] == "probabilities_to_logits_loss")["symptoms"]
    assert f"{math.log(1 + 9 / math.e):.3f} for ten classes" in text
    # A sigmoid's output p in [0, 1] taken for a logit: -log(sigmoid(1)) is the least.
    assert f"{math.log(1 + math.exp(-1)):.3f} for one sigmoid" in text
