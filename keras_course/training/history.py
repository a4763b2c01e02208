"""What a training run measured."""

from collections.abc import Mapping


class History(dict[str, list[float]]):
    """One list per curve with one value per epoch: `history["loss"]`, `"val_loss"`, `"learning_rate"`, each metric.

    Attributes:
        steps: updates of the weights, over all epochs and all resumed parts of the run.
        seconds: wall time of those steps, without compilation, validation and logs.
        compile_seconds: wall time of the calls that traced and compiled a graph; each runs one or a few steps as well.
        best_epoch: the epoch, from 0, whose weights early stopping put back; None without early stopping.
        stopped_early: whether the run ended before its last epoch.
    """

    def __init__(
        self,
        curves: Mapping[str, list[float]] | None = None,
        *,
        steps: int = 0,
        seconds: float = 0.0,
        compile_seconds: float = 0.0,
        best_epoch: int | None = None,
        stopped_early: bool = False,
    ) -> None:
        super().__init__(curves or {})
        self.steps, self.seconds, self.compile_seconds = steps, seconds, compile_seconds
        self.best_epoch, self.stopped_early = best_epoch, stopped_early

    def add(self, values: Mapping[str, float]) -> None:
        """Appends the values of one epoch."""
        for name, value in values.items():
            self.setdefault(name, []).append(value)
