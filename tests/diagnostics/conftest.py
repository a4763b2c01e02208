"""What every test of the diagnosis may ask for."""

from collections.abc import Iterator

from tests.diagnostics import typed

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config


@pytest.fixture(autouse=True)
def typed_draws_the_same_whatever_ran_before() -> None:
    """`typed` draws for tests that never name its generator, which therefore nobody winds back."""
    typed.RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


@pytest.fixture
def deterministic() -> Iterator[None]:
    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()
