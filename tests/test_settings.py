import dataclasses
from dataclasses import dataclass
from typing import Literal

from keras_course import settings
from keras_course.base import InputError
from keras_course.settings import Count, Positive, Seed, Share

import pytest
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Example:
    dataset: Literal["digits", "mnist"] = "digits"
    epochs: Count = 30  # passes over the training split
    hidden: tuple[Count, ...] = (64, 32)  # units of each layer
    rate: Positive = 0.1  # step size: 10 % "of" the gradient
    dropout: Share = 0.0
    patience: Count | None = None
    augment: bool = True
    seed: Seed = 0


def test_flags_change_their_fields_and_leave_the_others():
    argv = ["--epochs", "3", "--hidden", "5", "2", "--no-augment", "--patience", "4", "--rate=1/255"]
    assert settings.parse(Example(), argv) == Example(epochs=3, hidden=(5, 2), augment=False, patience=4, rate=1 / 255)


def test_a_list_may_be_written_with_commas_or_be_empty():
    assert settings.parse(Example(), ["--hidden", "5,2,3"]).hidden == (5, 2, 3)
    assert settings.parse(Example(), ["--hidden", ""]).hidden == ()


@given(epochs=st.integers(1, 10**6), rate=st.floats(1e-9, 1e9), dropout=st.floats(0, 1), augment=st.booleans())
def test_what_a_flag_spells_is_what_the_field_holds(epochs, rate, dropout, augment):
    argv = ["--epochs", str(epochs), "--rate", repr(rate), "--dropout", repr(dropout)]
    argv.append("--augment" if augment else "--no-augment")
    wanted = dataclasses.replace(Example(), epochs=epochs, rate=rate, dropout=dropout, augment=augment)
    assert settings.parse(Example(), argv) == wanted


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--epochs", "0"], "`epochs` must be a whole number of at least 1. Received: 0."),
        (["--epochs", "2.5"], "`epochs` must be a whole number of at least 1. Received: '2.5'."),
        (["--dropout", "1.5"], "`dropout` must be a number from 0 to 1. Received: 1.5."),
        (["--rate", "nan"], "`rate` must be a number above 0. Received: nan."),
        (["--rate", "inf"], "`rate` must be a number above 0. Received: inf."),
        (["--dataset", "digit"], "`dataset` must be one of digits, mnist. Received: 'digit'."),
        (
            ["--hidden", "5", "0"],
            "`hidden` must be a list in which each is a whole number of at least 1. Received: (5, 0).",
        ),
        (["--patience", "x"], "`patience` must be a whole number of at least 1 or none. Received: 'x'."),
    ],
)
def test_a_bad_value_is_one_sentence_with_field_rule_and_what_was_received(argv, sentence):
    with pytest.raises(InputError) as error:
        settings.parse(Example(), argv)
    assert str(error.value) == sentence


def test_an_unknown_flag_gets_the_nearest_and_the_list():
    with pytest.raises(InputError, match=r"No flag '--epoch'. Did you mean '--epochs'\? There are: .*--seed"):
        settings.parse(Example(), ["--epoch", "3"])


def test_true_is_not_a_whole_number():
    with pytest.raises(InputError, match="`epochs`"):
        settings.check(Example(epochs=True))


def test_help_is_the_comment_behind_the_field():
    assert settings.helps(Example) == {
        "epochs": "passes over the training split",
        "hidden": "units of each layer",
        "rate": 'step size: 10 % "of" the gradient',
    }


def test_help_names_every_field_its_rule_and_its_default(capsys):
    with pytest.raises(SystemExit):
        settings.parse(Example(), ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--epochs … passes over the training split (a whole number of at least 1; 30)" in shown
    assert "--no-augment" in shown
    assert "10 %" in shown


def test_differences_name_the_fields_that_differ():
    assert settings.differences({"epochs": 3, "seed": 0}, {"epochs": 5, "seed": 0}) == "epochs 3 against 5"
