"""What a network looked at."""

from keras_course.interpret.grad_cam import grad_cam

__all__ = ["grad_cam"]
