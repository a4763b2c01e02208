"""Small data sets that are made, not fetched: short reviews and an hourly load curve, the same for the same seed."""

from keras_course.data.splits import Split, Splits, split

import numpy as np

GOOD = ("brilliant", "charming", "clever", "delightful", "gripping", "lovely", "moving", "superb", "tender", "witty")
BAD = ("awful", "boring", "clumsy", "dull", "flat", "hollow", "lazy", "shallow", "stale", "tedious")
PLAIN = (
    "the",
    "a",
    "film",
    "plot",
    "actor",
    "scene",
    "camera",
    "music",
    "ending",
    "story",
    "was",
    "with",
    "and",
    "in",
    "of",
    "this",
    "that",
    "cast",
    "script",
    "sound",
    "pace",
    "director",
    "which",
    "light",
    "shot",
    "role",
    "screen",
    "hour",
    "time",
    "part",
)
WORDS = ("", *GOOD, *BAD, *PLAIN)  # the id of a word is its place here; 0 is padding
LENGTH = 12
DAY = 24


def reviews(n: int, *, seed: int = 0, negative: float = 0.5) -> Splits:
    """Reviews as word ids, (n, 12) int64, and whether each is good, 1, or bad, 0: 70, 15 and 15 % of `n`.

    Three words in twelve judge; four in five of them agree with the label, so one word is not enough.
    negative: the share of bad ones.
    """
    rng = np.random.default_rng((seed, n))
    y = (rng.random(n) >= negative).astype("int64")
    agrees = rng.random((n, 3)) < 0.8
    positive = agrees == (y[:, None] == 1)
    words = 1 + rng.integers(0, 10, (n, 3)) + 10 * ~positive
    x = rng.integers(1 + len(GOOD) + len(BAD), len(WORDS), (n, LENGTH))
    places = rng.permuted(np.tile(np.arange(LENGTH), (n, 1)), axis=1)[:, :3]
    np.put_along_axis(x, places, words, axis=1)
    train, validation, test = split(x, y, sizes=(0.7, 0.15, 0.15), seed=seed)
    train, validation, test = (Split(part.x.astype("int64"), part.y) for part in (train, validation, test))
    return Splits(
        train, validation, test, name="made reviews", source="made", classes=("bad", "good"), licence="none needed"
    )


def load_curve(days: int, *, seed: int = 0) -> Splits:
    """Windows of 24 hours of an electric load in megawatt, (n, 24, 1), and the load three hours later, (n,).

    A daily and a weekly rhythm, a slow wandering, and noise; mean about 40 000. Cut in time: 70, 15 and 15 %.
    """
    rng = np.random.default_rng((seed, days))
    hour = np.arange(days * DAY)
    wander = np.cumsum(rng.normal(0, 60, len(hour)))
    rhythm = 7000 * np.sin(2 * np.pi * (hour - 8) / DAY) + 2500 * np.sin(4 * np.pi * hour / DAY)
    weekend = -4000.0 * ((hour // DAY) % 7 >= 5)
    load = 40_000 + rhythm + weekend + wander - wander.mean() + rng.normal(0, 700, len(hour))
    windows = np.lib.stride_tricks.sliding_window_view(load, DAY)[:-3, :, None].astype("float32")
    targets = load[DAY + 2 :].astype("float32")
    ends = (np.array([0.7, 0.85]) * len(windows)).astype(int)
    gap = DAY + 3  # so that no hour stands in two splits
    cuts = [(0, ends[0] - gap), (ends[0], ends[1] - gap), (ends[1], len(windows))]
    train, validation, test = (Split(windows[a:b], targets[a:b]) for a, b in cuts)
    return Splits(train, validation, test, name="made load curve", source="made", classes=(), licence="none needed")
