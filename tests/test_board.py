import socket
import urllib.request

from keras_course import board
from keras_course.base import InputError

import pytest
import tensorflow as tf


@pytest.fixture
def events(tmp_path):
    with tf.summary.create_file_writer(str(tmp_path / "run" / "train")).as_default(step=0):
        tf.summary.scalar("loss", 2.5)
    return tmp_path


def test_serves_the_runs_of_the_folder_on_the_loopback(events):
    address = board.serve(events, port=0)
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{address}data/runs") as answer:
        assert answer.read() == b'["run/train"]'


def test_a_port_that_is_taken_is_one_sentence(events):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"`port` must be one that is free; {port} is taken. `--port 0`"):
            board.serve(events, port=port)
