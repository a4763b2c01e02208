"""Projects of job seekers: polished, with functions, classes and a main()."""

from keras_course.diagnostics.corpus import Fault, Program

LEADS = Program(
    name="portfolio_solar_leads",
    source='''
"""Project 3 - Which of our leads will sign for a rooftop solar system?

Business question: the sales team can phone one lead in five. Which ones?
Stack: pandas, scikit-learn, Keras. Data: synthetic CRM export (no customer data in this repository).
"""
from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, classification_report
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

NUMERIC = ["roof_m2", "tilt", "kwh_per_year", "income", "built", "mails_opened"]
CATEGORICAL = ["heating", "facing"]
TARGET = "signed"


@dataclass
class Settings:
    hidden: tuple[int, ...] = (48, 24)
    dropout: float = 0.2
    learning_rate: float = 1.5e-3
    batch_size: int = 64
    epochs: int = 14
    seed: int = SEED


def load_leads(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(
        {
            "roof_m2": rng.gamma(6, 14, n),
            "tilt": rng.choice([5, 20, 35, 45], n),
            "kwh_per_year": rng.normal(4200, 1300, n).clip(900),
            "income": rng.lognormal(10.8, 0.4, n),
            "built": rng.integers(1930, 2020, n),
            "mails_opened": rng.poisson(2.5, n),
            "heating": rng.choice(["gas", "oil", "heat pump", "district"], n, p=[0.45, 0.25, 0.2, 0.1]),
            "facing": rng.choice(["S", "E", "W", "N"], n),
        }
    )
    sun = df.facing.map({"S": 1.2, "E": 0.4, "W": 0.5, "N": -1.5})
    need = (df.kwh_per_year - 4200) / 1300 + 1.2 * (df.heating == "heat pump")
    wish = 2.6 * sun + 1.8 * need * (df.roof_m2 > 50) + 1.2 * np.log(df.income / 49000) + 0.9 * (df.mails_opened - 2.5)
    wish -= 0.0016 * (df.built - 1985) ** 2 - 0.5
    wish += rng.logistic(0, 1.0, n)
    df[TARGET] = np.where(wish > np.quantile(wish, 0.93), "yes", "no")
    df["offer_eur"] = np.where(df[TARGET] == "yes", rng.normal(14500, 2500, n), rng.exponential(900, n)).round()
    return df


def features(df: pd.DataFrame) -> np.ndarray:
    dummies = pd.get_dummies(df[CATEGORICAL], dtype=float)
    return np.hstack([df[NUMERIC].to_numpy(float), dummies.to_numpy()])


class LeadScorer:
    """A small dense network that answers with log-odds."""

    def __init__(self, n_features: int, cfg: Settings) -> None:
        self.cfg = cfg
        inputs = keras.Input((n_features,))
        x = inputs
        for i, units in enumerate(cfg.hidden, start=1):
            x = keras.layers.Dense(units, activation="relu", name=f"dense_{i}")(x)
            x = keras.layers.Dropout(cfg.dropout)(x)
        outputs = keras.layers.Dense(1, name="log_odds")(x)
        self.net = keras.Model(inputs, outputs, name="lead_scorer")
        self.net.compile(
            optimizer=keras.optimizers.AdamW(cfg.learning_rate),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        )

    def fit(self, x, y, validation_data):
        signed = max(float(y.sum()), 1.0)
        weights = {0: 1.0, 1: (len(y) - signed) / signed}
        return self.net.fit(
            x, y, validation_data=validation_data, class_weight=weights,
            batch_size=self.cfg.batch_size, epochs=self.cfg.epochs, verbose=2,
        )

    def predict(self, x) -> np.ndarray:
        return (self.net.predict(x, verbose=0)[:, 0] > 0).astype(int)


def main() -> float:
    cfg = Settings()
    keras.utils.set_random_seed(cfg.seed)

    leads = load_leads(6000, cfg.seed)
    x = features(leads)
    y = (leads[TARGET] == "yes").to_numpy(int)
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, stratify=y, random_state=cfg.seed)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.6, stratify=y_rest, random_state=cfg.seed)

    scaler = StandardScaler().fit(x_train)
    scorer = LeadScorer(x.shape[1], cfg)
    scorer.fit(scaler.transform(x_train), y_train, (scaler.transform(x_val), y_val))

    said = scorer.predict(scaler.transform(x_test))
    print(classification_report(y_test, said, zero_division=0))
    return balanced_accuracy_score(y_test, said) if y_test.any() else 0.5


if __name__ == "__main__":
    balanced = main()
    print(f"Balanced accuracy on the test leads: {balanced:.3f}")
''',
    score="balanced",
    bar=0.78,
    base=0.5,
    odd="class weights raise the loss of the training set above that of validation",
    faults=(
        Fault(cause="class_imbalance", old="x, y, validation_data=validation_data, class_weight=weights,",
              new="x, y, validation_data=validation_data,"),
        Fault(cause="softmax_on_single_unit", old='Dense(1, name="log_odds")',
              new='Dense(1, activation="softmax", name="log_odds")', layer=("log_odds",),
              beside=("probabilities_to_logits_loss", "constant_labels")),
        Fault(cause="probabilities_to_logits_loss", old='Dense(1, name="log_odds")',
              new='Dense(1, activation="sigmoid", name="log_odds")', layer=("log_odds",), beside=("wrong_metric",)),
        Fault(cause="leakage_feature", old='"built", "mails_opened"]', new='"built", "mails_opened", "offer_eur"]',
              certain=True),
        Fault(cause="constant_labels", old='(leads[TARGET] == "yes")', new='(leads[TARGET] == "Yes")',
              beside=("missing_class", "class_imbalance", "label_encoding")),
        Fault(cause="loss_metric_inconsistent", old='keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")',
              new='keras.metrics.SparseCategoricalAccuracy(name="accuracy")', accept=("wrong_metric",), certain=True),
        Fault(cause="leakage_duplicates", old='    x = features(leads)\n',
              new='    leads = pd.concat([leads] + [leads[leads[TARGET] == "yes"]] * 6, ignore_index=True)\n'
              '    x = features(leads)\n', certain=True),
    ),
    seeds=3,
)  # fmt: skip

GLUCOSE = Program(
    name="portfolio_glucose_meals",
    source='''

"""Portfolio / health tech: read three hours of a glucose sensor after lunch.

One recurrent network, two answers: how high the glucose will peak in the coming hour (mg/dl) and what kind of meal it
was. Training loop written out to show that I know what Model.fit does.
"""
import time
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

MEALS = ("starchy", "fatty", "mixed")
STEPS = 36  # five minutes each


class Sample(NamedTuple):
    trace: np.ndarray
    peak: np.ndarray
    meal: np.ndarray


def simulate(n: int, rng: np.random.Generator) -> Sample:
    """Glucose, carbohydrates entered by hand, and steps walked; a rough minimal model of the gut."""
    meal = rng.integers(0, 3, n)
    minutes = 5 * np.arange(STEPS + 12)
    grams = rng.uniform(30, 90, n)
    at = rng.uniform(10, 70, n)
    delay = np.array([28.0, 85.0, 52.0])[meal] * rng.uniform(0.8, 1.2, n)
    since = np.maximum(minutes[None] - at[:, None], 0) / delay[:, None]
    walk = rng.poisson(40, (n, 1)) * (rng.random((n, STEPS + 12)) < 0.3)
    base = rng.normal(105, 12, (n, 1))
    glucose = base + 2.6 * grams[:, None] * since * np.exp(1 - since) - 0.02 * np.cumsum(walk, axis=1)
    glucose = glucose + rng.normal(0, 8, glucose.shape)
    carbs = np.zeros((n, STEPS))
    carbs[np.arange(n), (at // 5).astype(int)] = grams * rng.uniform(0.8, 1.2, n)
    entered = np.log1p(carbs)
    trace = np.stack([glucose[:, :STEPS], entered, walk[:, :STEPS]], axis=-1)
    return Sample(trace.astype("float32"), glucose[:, STEPS:].max(1).astype("float32"), meal)


class MealNet(keras.Model):
    def __init__(self, units: int = 32, rate: float = 0.3):
        super().__init__()
        # sensors fail, and people forget to enter what they eat
        self.flaky = layers.SpatialDropout1D(0.3)
        # Le, Jaitly and Hinton (2015): ReLU units that start as the identity
        start = keras.initializers.Identity(gain=1.0)
        self.reader = layers.SimpleRNN(units, activation="relu", recurrent_initializer=start, name="reader",
                                       kernel_initializer=keras.initializers.RandomNormal(stddev=0.1))
        self.hidden = layers.Dense(48, activation="relu", name="hidden")
        self.drop = layers.Dropout(rate)
        self.peak = layers.Dense(1, name="peak")
        self.meal = layers.Dense(len(MEALS), name="meal")

    def call(self, trace, training=False):
        state = self.reader(self.flaky(trace, training=training))
        h = self.drop(self.hidden(state), training=training)
        return self.peak(h), self.meal(h)


class Trainer:
    """Scales the data with what it has seen in training, trains, and evaluates."""

    def __init__(self, net: keras.Model, train: Sample, batch_size: int = 50):
        self.net, self.train, self.batch_size = net, train, batch_size
        self.mean, self.std = train.trace.mean((0, 1)), train.trace.std((0, 1))
        self.level, self.spread = train.peak.mean(), train.peak.std()
        self.optimizer = keras.optimizers.Adam(3e-3)
        self.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.update = tf.function(self._update)

    def scaled(self, trace: np.ndarray) -> np.ndarray:
        return (trace - self.mean) / self.std

    def _update(self, trace, peak, meal):
        with tf.GradientTape() as tape:
            height, logits = self.net(trace, training=True)
            error = tf.reduce_mean(tf.square(tf.squeeze(height, -1) - peak))
            loss = 2.0 * error + self.cross_entropy(meal, logits)
        weights = self.net.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, weights), 1.0)
        self.optimizer.apply_gradients(zip(gradients, weights))
        return loss

    def run(self, epochs: int, validation: Sample) -> None:
        peak = (self.train.peak - self.level) / self.spread
        data = tf.data.Dataset.from_tensor_slices((self.scaled(self.train.trace), peak, self.train.meal))
        data = data.shuffle(len(peak)).batch(self.batch_size, drop_remainder=True)
        for epoch in range(1, epochs + 1):
            if epoch == int(0.7 * epochs):
                self.optimizer.learning_rate.assign(6e-4)
            loss = np.mean([float(self.update(*batch)) for batch in data])
            r2, hit = self.evaluate(validation)
            print(f"epoch {epoch:2d}  loss {loss:.3f}  val R2 {r2:.3f}  val meals {hit:.3f}")

    def evaluate(self, sample: Sample) -> tuple[float, float]:
        height, logits = self.net(self.scaled(sample.trace), training=False)
        guess = height.numpy()[:, 0] * self.spread + self.level
        r2 = 1 - np.mean((guess - sample.peak) ** 2) / np.var(sample.peak)
        return float(r2), float(np.mean(logits.numpy().argmax(1) == sample.meal))


def main(seed: int = SEED):
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    train, validation, test = simulate(1500, rng), simulate(300, rng), simulate(600, rng)
    trainer = Trainer(MealNet(), train)
    trainer.run(epochs=14, validation=validation)
    return trainer.evaluate(test)


if __name__ == "__main__":
    began = time.time()
    peak_r2, meals_right = main()
    print(f"test: R2 of the peak {peak_r2:.3f}, meals {meals_right:.3f}, {time.time() - began:.0f} s")
''',
    score="(np.clip(np.nan_to_num(peak_r2, nan=-1.0), -1, 1) + (meals_right - 1 / 3) * 1.5) / 2",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="tf.square(tf.squeeze(height, -1) - peak)", new="tf.square(height - peak)"),
        Fault(cause="dropout_mode", old="self.net(self.scaled(sample.trace), training=False)",
              new="self.net(self.scaled(sample.trace), training=True)"),
        Fault(cause="nan_or_inf_in_data", old="np.log1p(carbs)", new="np.log(carbs)"),
        Fault(cause="frozen_or_disconnected", old="state = self.reader(self.flaky(trace, training=training))",
              new="state = tf.stop_gradient(self.reader(self.flaky(trace, training=training)))", layer=("reader",)),
        Fault(cause="exploding_gradient", old="Identity(gain=1.0)", new="Identity(gain=1.5)", accept=("init_scale",),
              beside=("learning_rate_too_high",), layer=("reader",)),
        Fault(cause="train_val_preprocessing_mismatch", old="self.net(self.scaled(sample.trace), training=False)",
              new="self.net(sample.trace, training=False)", beside=("inputs_not_scaled",)),
        Fault(cause="optimiser_not_applied",
              old="        self.optimizer.apply_gradients(zip(gradients, weights))\n        return loss\n",
              new="        return loss\n        self.optimizer.apply_gradients(zip(gradients, weights))\n"),
    ),
    pairs=(("loss_broadcast", "dropout_mode"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (LEADS, GLUCOSE)
