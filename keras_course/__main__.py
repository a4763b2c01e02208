"""`python -m keras_course` is `keras-course`."""

import sys

from keras_course.cli import main

if __name__ == "__main__":
    sys.exit(main())
