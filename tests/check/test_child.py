import io
import socket
import struct
import time

from keras_course.check import child, same
from keras_course.check.child import decode, encode, receive, send

import keras
import numpy as np
import pytest
import tensorflow as tf

X = np.arange(6, dtype="float32").reshape(2, 3)


def test_tensors_and_variables_arrive_as_arrays():
    value = {"t": tf.constant(X), "v": keras.Variable(X, name="v"), "s": np.int64(3), "list": [(X, None)]}
    got = decode(encode(value))
    same(got, {"t": X, "v": X, "s": np.asarray(3), "list": [(X, None)]})
    assert type(got["t"]) is np.ndarray


@pytest.mark.parametrize("value", [object(), tf.data.Dataset.range(2), np.array(["a"]), {1, 2}, lambda: 0])
def test_what_is_no_plain_value_is_refused_by_its_type(value):
    kind = "dtype <U1" if isinstance(value, np.ndarray) else type(value).__name__
    with pytest.raises(TypeError, match=f"{kind}, expected"):
        encode([value])


def test_a_pickle_is_not_opened():
    stream = io.BytesIO(b'{"array": null}\n')
    stream.seek(0, io.SEEK_END)
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        decode(stream.getvalue())


def test_what_is_too_large_is_refused_on_both_sides(monkeypatch):
    monkeypatch.setattr(child, "MOST", 200)
    with pytest.raises(ValueError, match=r"a value of \d+ bytes, expected at most 200"):
        encode(np.zeros(100))
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">Q", 201))
    with pytest.raises(OSError, match="a message of 201 bytes"):
        receive(ours, time.monotonic() + 1)


def test_a_message_arrives_whole_and_a_hang_up_is_none():
    ours, theirs = socket.socketpair()
    send(theirs, b"one")
    send(theirs, b"")
    theirs.sendall(struct.pack(">Q", 5) + b"cut")
    theirs.close()
    assert [receive(ours) for _ in range(3)] == [b"one", b"", None]


def test_a_message_that_does_not_come_is_waited_for_until_the_deadline():
    ours, _theirs = socket.socketpair()
    with pytest.raises(TimeoutError):
        receive(ours, time.monotonic() + 0.01)
