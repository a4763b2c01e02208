"""Complete training scripts as a chat assistant writes them: a garage forecast, and which donors come back."""

from keras_course.diagnostics.corpus import Fault, Program

GARAGE = Program(
    name="assistant_garage_forecast",
    source='''
"""
Parking garage occupancy forecasting with an LSTM
=================================================

Given the last 24 hours of measurements, predict the share of occupied spaces two hours ahead.

Steps:
    1. Simulate hourly measurements (replace `load_measurements` with your own CSV)
    2. Split by time, scale with the statistics of the training period
    3. Build sliding windows with tf.data
    4. Train with warm-up and cosine decay
    5. Evaluate on the most recent weeks
"""
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

FEATURES = ["occupancy", "rain", "hour_sin", "hour_cos", "weekend", "events"]
TARGET = "occupancy"


@dataclass(frozen=True)
class Config:
    """All hyperparameters in one place."""

    hours: int = 3600
    window: int = 24
    horizon: int = 2
    train_share: float = 0.7
    val_share: float = 0.1
    batch_size: int = 64
    units: int = 32
    learning_rate: float = 3e-3
    warmup_epochs: int = 1
    weight_decay: float = 1e-4
    clipnorm: float = 1.0
    epochs: int = 9
    seed: int = SEED


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)


def load_measurements(cfg: Config) -> pd.DataFrame:
    """Simulate hourly data: commuters, shoppers on dry Saturdays, and events in the concert hall next door."""
    rng = np.random.default_rng(cfg.seed + 40)
    t = np.arange(cfg.hours)
    hour, day = t % 24, (t // 24) % 7
    weekend = (day >= 5).astype(float)
    wet = np.zeros(cfg.hours)
    for i in range(1, cfg.hours):
        wet[i] = max(0.0, 0.85 * wet[i - 1] + rng.normal(-0.05, 0.5))
    events = np.repeat(rng.random(cfg.hours // 24 + 1) < 0.3, 24)[: cfg.hours].astype(float)
    commuters = (1 - weekend) * 0.55 * np.exp(-(((hour - 12.5) / 4.2) ** 4))
    shoppers = (0.25 + 0.3 * weekend) * np.exp(-(((hour - 15) / 3.0) ** 2)) / (1 + wet)
    concert = 0.5 * events * np.exp(-(((hour - 20.5) / 1.7) ** 2))
    drift = np.zeros(cfg.hours)
    for i in range(1, cfg.hours):
        drift[i] = 0.95 * drift[i - 1] + rng.normal(0, 0.012)
    occupancy = np.clip(0.12 + commuters + shoppers + concert + drift + rng.normal(0, 0.01, cfg.hours), 0, 1)
    return pd.DataFrame(
        {
            "occupancy": occupancy,
            "rain": pd.Series(wet).rolling(3, min_periods=1).mean(),
            "hour_sin": np.sin(2 * np.pi * hour / 24),
            "hour_cos": np.cos(2 * np.pi * hour / 24),
            "weekend": weekend,
            "events": events,
        }
    )


def split_by_time(frame: pd.DataFrame, cfg: Config) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Oldest part for training, then validation, and the most recent part for testing."""
    train_end = int(cfg.train_share * len(frame))
    val_end = train_end + int(cfg.val_share * len(frame))
    return frame[:train_end], frame[train_end:val_end], frame[val_end:]


def make_windows(frame: pd.DataFrame, cfg: Config, training: bool = False) -> tf.data.Dataset:
    """Turn a scaled frame into batches of (window, target)."""
    values = frame[FEATURES].to_numpy("float32")
    target = frame[TARGET].to_numpy("float32")
    ends = np.arange(cfg.window, len(frame) - cfg.horizon + 1)
    x = np.stack([values[end - cfg.window : end] for end in ends])
    y = target[ends + cfg.horizon - 1][:, None]
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    if training:
        dataset = dataset.shuffle(len(ends), seed=cfg.seed)
    return dataset.batch(cfg.batch_size).prefetch(tf.data.AUTOTUNE)


def build_model(cfg: Config) -> keras.Model:
    """A single LSTM with a small dense head."""
    inputs = keras.Input((cfg.window, len(FEATURES)), name="window")
    x = layers.LSTM(cfg.units, name="lstm")(inputs)
    x = layers.Dense(16, activation="gelu", name="hidden")(x)
    outputs = layers.Dense(1, name="forecast")(x)
    return keras.Model(inputs, outputs, name="garage_forecast")


def make_optimizer(cfg: Config, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW with linear warm-up followed by cosine decay."""
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=(cfg.epochs - cfg.warmup_epochs) * steps_per_epoch,
        alpha=0.01,
        warmup_target=cfg.learning_rate,
        warmup_steps=cfg.warmup_epochs * steps_per_epoch,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=cfg.weight_decay, clipnorm=cfg.clipnorm)


def evaluate(model: keras.Model, dataset: tf.data.Dataset) -> dict[str, float]:
    """Error on unseen weeks, and the share of the variance that the forecast explains."""
    y_true = np.concatenate([y.numpy() for _, y in dataset])[:, 0]
    y_pred = model.predict(dataset, verbose=0)[:, 0]
    mse = float(np.mean((y_true - y_pred) ** 2))
    return {"mse": mse, "r2": 1 - mse / float(np.var(y_true))}


def main() -> dict[str, float]:
    cfg = Config()
    set_seed(cfg.seed)

    frame = load_measurements(cfg)
    train_frame, val_frame, test_frame = split_by_time(frame, cfg)
    mean, std = train_frame.mean(), train_frame.std()
    train_frame, val_frame, test_frame = ((part - mean) / std for part in (train_frame, val_frame, test_frame))

    train = make_windows(train_frame, cfg, training=True)
    val, test = make_windows(val_frame, cfg), make_windows(test_frame, cfg)
    print(f"Batches: train={len(train)}, val={len(val)}, test={len(test)}")

    model = build_model(cfg)
    model.compile(optimizer=make_optimizer(cfg, len(train)), loss="mse", metrics=["mae"])
    model.summary()
    model.fit(train, validation_data=val, epochs=cfg.epochs, verbose=2)

    results = evaluate(model, test)
    print("=" * 40)
    for name, value in results.items():
        print(f"Test {name:>4}: {value:.4f}")
    print("=" * 40)
    return results


if __name__ == "__main__":
    results = main()
''',
    score="results['r2']",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="input_ignored", old='    outputs = layers.Dense(1, name="forecast")(x)\n', new="""\
    x = layers.Dense(1, name="forecast")(x)
    outputs = layers.LayerNormalization(name="calibrated")(x)
""", layer=("calibrated",), beside=("frozen_or_disconnected",)),
        Fault(cause="exploding_gradient", old='x = layers.LSTM(cfg.units, name="lstm")(inputs)', new="""\
x = layers.SimpleRNN(
        cfg.units, activation="relu", recurrent_initializer=keras.initializers.RandomNormal(stddev=0.6), name="lstm"
    )(inputs)""", accept=("init_scale",), layer=("lstm",)),
        Fault(cause="nan_or_inf_in_data", old="rolling(3, min_periods=1)", new="rolling(3)"),
        Fault(cause="train_val_preprocessing_mismatch",
              old='    values = frame[FEATURES].to_numpy("float32")\n', new="""\
    columns = FEATURES if training else sorted(FEATURES)
    values = frame[columns].to_numpy("float32")
"""),
        Fault(cause="wrong_metric", old='metrics=["mae"]', new='metrics=["accuracy"]', certain=True),
        Fault(cause="too_few_steps",
              old="    return dataset.batch(cfg.batch_size).prefetch(tf.data.AUTOTUNE)\n", new="""\
    return dataset.batch(cfg.batch_size).take(2).prefetch(tf.data.AUTOTUNE)
"""),
        Fault(cause="leakage_duplicates", old="return frame[:train_end], frame[train_end:val_end], frame[val_end:]",
              new="return frame[:val_end], frame[train_end:val_end], frame[val_end:]", certain=True),
    ),
    seeds=3,
)  # fmt: skip

DONORS = Program(
    name="assistant_donor_return",
    source='''
"""
Blood donor return prediction (imbalanced binary classification, custom training loop)

About one in twelve first-time donors comes back within a year. The script
    * balances the batches by sampling,
    * trains a small MLP with batch normalization and dropout in a compiled tf.function,
    * reports balanced accuracy on a held-out test set.
"""
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers


@dataclass(frozen=True)
class Config:
    """Hyperparameters."""

    n_donors: int = 7000
    test_share: float = 0.25
    hidden: tuple[int, ...] = (48, 24)
    dropout: float = 0.3
    l2: float = 1e-5
    learning_rate: float = 3e-3
    batch_size: int = 128
    steps: int = 700
    seed: int = SEED


def set_seed(seed: int) -> None:
    """Make runs repeatable."""
    keras.utils.set_random_seed(seed)


def load_donors(cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Simulate the questionnaire. Answers are coded 1 = no, 2 = yes; those who came back are listed first."""
    rng = np.random.default_rng(cfg.seed + 1000)
    n = cfg.n_donors
    age = rng.uniform(18, 65, n)
    distance_km = rng.gamma(1.5, 6.0, n)
    haemoglobin = rng.normal(14.2, 1.3, n)
    wait_minutes = rng.gamma(4.0, 8.0, n)
    fainted = 1 + (rng.random(n) < 0.08)
    friend_donates = 1 + (rng.random(n) < 0.35)
    reminders = rng.poisson(1.5, n)
    logit = (
        -4.6
        - 0.12 * (distance_km - 9)
        - 0.05 * (wait_minutes - 32)
        + 2.2 * (friend_donates == 2)
        - 2.5 * (fainted == 2)
        + 1.1 * np.minimum(reminders, 3)
        - 0.9 * (reminders > 4)
        + 1.6 * np.cos((age - 22) / 8)
        - 1.0 * (haemoglobin < 12.8)
    )
    returned = 1 + (rng.logistic(0, 1.2, n) < logit)
    features = np.stack([age, distance_km, haemoglobin, wait_minutes, fainted, friend_donates, reminders], axis=1)
    listed = np.argsort(-returned, kind="stable")
    return features[listed].astype("float32"), returned[listed]


def split(n: int, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Random row numbers for training and test."""
    order = np.random.default_rng(cfg.seed).permutation(n)
    cut = int(n * (1 - cfg.test_share))
    return order[:cut], order[cut:]


def build_model(n_features: int, cfg: Config) -> keras.Model:
    """MLP: Dense -> BatchNorm -> ReLU -> Dropout, one logit."""
    inputs = keras.Input((n_features,), name="donor")
    x = inputs
    for i, units in enumerate(cfg.hidden):
        x = layers.Dense(units, kernel_initializer="he_normal", name=f"dense_{i}")(x)
        x = layers.BatchNormalization(momentum=0.95, name=f"norm_{i}")(x)
        x = layers.Activation("relu", name=f"relu_{i}")(x)
        x = layers.Dropout(cfg.dropout, name=f"drop_{i}")(x)
    outputs = layers.Dense(1, name="logit")(x)
    return keras.Model(inputs, outputs, name="donor_return")


def to_probability(logits: tf.Tensor) -> tf.Tensor:
    """Turn raw scores into the probability of a return."""
    return tf.sigmoid(logits)


def sampling_weights(y: np.ndarray) -> np.ndarray:
    """Both classes get half of every batch."""
    weights = np.where(y == 1, 0.5 / max((y == 1).sum(), 1), 0.5 / max((y != 1).sum(), 1))
    return weights / weights.sum()


def make_train_step(model: keras.Model, optimizer: keras.optimizers.Optimizer, cfg: Config):
    """Compile one optimization step."""

    @tf.function
    def train_step(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            probability = to_probability(model(x, training=True))
            data_loss = tf.reduce_mean(keras.losses.binary_crossentropy(y, probability))
            penalty = tf.add_n([tf.reduce_sum(tf.square(w)) for w in model.trainable_variables if len(w.shape) == 2])
            loss = data_loss + cfg.l2 * penalty
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss, probability

    return train_step


def predict_classes(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Class per row."""
    probability = to_probability(model(x, training=False)).numpy()
    return (probability > 0.5).astype(int)[:, 0]


def balanced_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean of the recalls of the two classes; 0 for a class that nobody belongs to."""
    recalls = [float((y_pred[y_true == k] == k).mean()) if (y_true == k).any() else 0.0 for k in (0, 1)]
    return sum(recalls) / 2


def main() -> tuple[float, float]:
    cfg = Config()
    set_seed(cfg.seed)

    features, returned = load_donors(cfg)
    y = (returned == 2).astype("float32")
    train_rows, test_rows = split(len(y), cfg)
    mean, std = features[train_rows].mean(axis=0), features[train_rows].std(axis=0)
    x = (features - mean) / std
    x_train, y_train, x_test = x[train_rows], y[train_rows], x[test_rows]
    truth = (returned[test_rows] == 2).astype(int)
    print(f"Train: {len(y_train)} donors, {y_train.mean():.1%} returned | Test: {len(truth)}")

    model = build_model(x.shape[1], cfg)
    optimizer = keras.optimizers.Adam(cfg.learning_rate)
    train_step = make_train_step(model, optimizer, cfg)
    sampler = np.random.default_rng(cfg.seed)
    weights = sampling_weights(y_train)

    for step in range(1, cfg.steps + 1):
        rows = sampler.choice(len(y_train), cfg.batch_size, p=weights)
        loss, _ = train_step(tf.constant(x_train[rows]), tf.constant(y_train[rows][:, None]))
        if step % 100 == 0:
            score = balanced_accuracy(truth, predict_classes(model, x_test))
            print(f"step {step:4d} | loss {float(loss):.4f} | balanced accuracy {score:.3f}")

    predicted = predict_classes(model, x_test)
    final = balanced_accuracy(truth, predicted)
    precision = float(truth[predicted == 1].mean()) if predicted.any() else 0.0
    print(f"\\nBalanced accuracy: {final:.3f}\\nPrecision of a predicted return: {precision:.3f}")
    return final, precision


if __name__ == "__main__":
    final, precision = main()
''',
    score="final",
    bar=0.75,
    base=0.5,
    odd="one donor in twelve comes back, and the batches are drawn half and half",
    faults=(
        Fault(cause="class_imbalance", old="rows = sampler.choice(len(y_train), cfg.batch_size, p=weights)",
              new="rows = sampler.choice(len(y_train), cfg.batch_size)"),
        Fault(cause="dropout_mode", old="probability = to_probability(model(x, training=False)).numpy()",
              new="probability = to_probability(model(x, training=True)).numpy()", accept=("batchnorm_mode",),
              certain=True),
        Fault(cause="softmax_on_single_unit", old="return tf.sigmoid(logits)", new="return tf.nn.softmax(logits)",
              beside=("wrong_head_for_labels",)),
        Fault(cause="validation_split_sorted", old="order = np.random.default_rng(cfg.seed).permutation(n)",
              new="order = np.arange(n)", certain=True, beside=("data_sorted",)),
        Fault(cause="label_encoding", old='y = (returned == 2).astype("float32")', new='y = returned.astype("float32")',
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="loss_metric_inconsistent", old="return (probability > 0.5).astype(int)[:, 0]",
              new="return probability.argmax(axis=1)", accept=("wrong_metric",)),
        Fault(cause="labels_shuffled_apart", old="tf.constant(y_train[rows][:, None])",
              new="tf.constant(y[rows][:, None])", accept=("label_noise",), beside=("class_imbalance",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [GARAGE, DONORS]
