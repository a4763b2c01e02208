"""TensorBoard on the loopback."""

from pathlib import Path

from keras_course.base import InputError


def serve(folder: Path, *, port: int) -> str:
    """Starts TensorBoard on `folder` in a thread of this process, which it ends with; returns its address.

    Port 0 takes any that is free. Raises InputError when `port` is taken.
    """
    from tensorboard import program

    board = program.TensorBoard()
    board.configure(logdir=str(folder), host="127.0.0.1", port=port, load_fast="false")
    try:
        return board.launch()
    except program.TensorBoardPortInUseError as error:
        raise InputError(f"`port` must be one that is free; {port} is taken. `--port 0` takes any.") from error
