"""The check of a student's work, by properties that the assignment's own tests state.

A property is a test that takes one argument, `subject`. It calls drivers through it: functions that import what they
need, run beside the student's code and return plain values. It compares the values with `same`, where the student's
code does not run:

    def block_output(x, layers, growth_rate):
        from keras_course.layers import DenseBlock

        return DenseBlock(layers, growth_rate)(x)

    @points(2)
    def test_channels_after_a_block_are_k0_plus_layers_times_growth(subject):
        same(subject(block_output, x=X, layers=3, growth_rate=2).shape, (2, 5, 5, 9))

Under pytest the fixture `subject` is `local`. In `check` each property has a process of its own, to which sources and
inputs go and from which values come: what the student's code prints, patches or redefines there changes no comparison.
It can still read every file that its user may read, so the work of strangers is checked by a user who may read none
of the answers.
"""

from keras_course.check.compare import same
from keras_course.check.mutants import Mutant
from keras_course.check.report import Outcome, Report
from keras_course.check.run import check, judge, load_tests, own_draws, points, properties
from keras_course.check.subjects import Subject, Zygote, local

__all__ = [
    "Mutant",
    "Outcome",
    "Report",
    "Subject",
    "Zygote",
    "check",
    "judge",
    "load_tests",
    "local",
    "own_draws",
    "points",
    "properties",
    "same",
]
