"""Layers, pipelines, loops and the frame of an applied deep-learning course on Keras 3 and TensorFlow.

Importing the package imports nothing heavy: TensorFlow is loaded by the parts that use it.
"""

import os

# TensorFlow reads these once, when it is imported. A value that the user has set stands.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

from keras_course.script import hand_over

hand_over()
