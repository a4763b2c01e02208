"""Solutions of take-home tasks: missed appointments of a dentist, and defect patterns on wafers."""

from keras_course.diagnostics.corpus import Fault, Program

DENTIST = Program(
    name="takehome_dentist_no_shows",
    source='''
"""Take-home task: predict the probability that a patient misses an appointment."""
from __future__ import annotations

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
TREATMENTS = ["checkup", "filling", "root canal", "hygiene", "crown", "extraction"]


def load_appointments(rows: int) -> pd.DataFrame:
    """Stands in for the CSV of the task, which I must not pass on."""
    rng = np.random.default_rng(SEED + 7)
    df = pd.DataFrame({
        "patient_id": rng.integers(10_000, 99_999, rows),
        "lead_days": rng.gamma(2.0, 9.0, rows).round(),
        "age": rng.integers(16, 85, rows).astype(float),
        "visits": rng.poisson(4, rows),
        "missed_before": rng.poisson(0.8, rows),
        "income_area": rng.normal(41_000, 9_000, rows).round(-2),
        "reminder": rng.integers(0, 2, rows),
        "hour": rng.integers(8, 18, rows),
        "treatment": rng.choice(TREATMENTS, rows),
    })
    fear = df["treatment"].map(dict(zip(TREATMENTS, [-1.2, 0.2, 1.6, -1.4, 0.1, 1.2])))
    z = (1.5 * np.tanh((df["lead_days"] - 16) / 9) + 1.1 * (df["missed_before"] - 0.8)
         - 1.4 * (df["reminder"] - 0.5) * (df["lead_days"] > 10) + 0.9 * ((df["age"] < 30) | (df["age"] > 72))
         - 0.7 * (df["income_area"] - 41_000) / 9_000 + fear - 0.5)
    df["missed"] = (rng.random(rows) < 1 / (1 + np.exp(-1.4 * z))).astype(int)
    df["fee_charged"] = np.where(df["missed"] == 1, rng.choice([0, 40, 60], rows, p=[0.05, 0.55, 0.4]), 0)
    df.loc[rng.random(rows) < 0.06, "age"] = np.nan
    return df


def clean(df: pd.DataFrame) -> pd.DataFrame:
    df = df.drop(columns=["patient_id", "fee_charged"])
    df["age"] = df["age"].fillna(df["age"].median())
    return df


def to_inputs(df: pd.DataFrame, scaler: StandardScaler, columns: list[str]) -> dict[str, np.ndarray]:
    codes = df["treatment"].map(TREATMENTS.index).to_numpy()
    return {"numbers": scaler.transform(df[columns]).astype("float32"), "treatment": codes[:, None].astype("int32")}


def build_model(n_numbers: int) -> keras.Model:
    numbers = keras.Input((n_numbers,), name="numbers")
    treatment = keras.Input((1,), dtype="int32", name="treatment")
    vector = keras.layers.Flatten()(keras.layers.Embedding(len(TREATMENTS), 3, name="treatment_vector")(treatment))
    x = keras.layers.Concatenate()([numbers, vector])
    x = keras.layers.Dense(160, activation="relu", name="hidden_1")(x)
    x = keras.layers.Dense(80, activation="relu", name="hidden_2")(x)
    chance = keras.layers.Dense(1, activation="sigmoid", name="chance")(x)
    return keras.Model([numbers, treatment], chance)


appointments = clean(load_appointments(2300))
train_df, test_df = train_test_split(appointments, test_size=500, random_state=1, stratify=appointments["missed"])
train_df, valid_df = train_test_split(train_df, test_size=400, random_state=2, stratify=train_df["missed"])
columns = [c for c in appointments.columns if c not in ("missed", "treatment")]
scaler = StandardScaler().fit(train_df[columns])

model = build_model(len(columns))
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=4, restore_best_weights=True)
history = model.fit(
    to_inputs(train_df, scaler, columns),
    train_df["missed"].to_numpy(),
    validation_data=(to_inputs(valid_df, scaler, columns), valid_df["missed"].to_numpy()),
    epochs=50,
    batch_size=64,
    callbacks=[early],
    verbose=2,
)

probability = model.predict(to_inputs(test_df, scaler, columns), verbose=0)[:, 0]
prior = np.full(len(test_df), train_df["missed"].mean())
skill = 1 - log_loss(test_df["missed"], probability) / log_loss(test_df["missed"], prior)
print(f"log-loss skill over the prior: {skill:.3f} after {len(history.history['loss'])} epochs")
''',
    score="max(skill, -1.0) if np.isfinite(skill) else -1.0",
    bar=0.3,
    base=0.0,
    faults=(
        Fault(cause="nan_or_inf_in_data", old='    df["age"] = df["age"].fillna(df["age"].median())\n', new=""),
        Fault(cause="leakage_feature", old='columns=["patient_id", "fee_charged"]', new='columns=["patient_id"]',
              certain=True),
        Fault(cause="overfitting", old='monitor="val_loss", patience=4', new='monitor="loss", patience=4'),
        Fault(cause="softmax_on_single_unit", old='Dense(1, activation="sigmoid", name="chance")',
              new='Dense(1, activation="softmax", name="chance")', layer=("chance",),
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels")),
        Fault(cause="wrong_head_for_labels", old='loss="binary_crossentropy"', new='loss="categorical_crossentropy"',
              accept=("wrong_loss_for_task",), layer=("chance",)),
        Fault(cause="inputs_not_scaled", old='scaler.transform(df[columns]).astype("float32")',
              new='df[columns].to_numpy("float32")', beside=("init_scale",)),
        Fault(cause="train_val_preprocessing_mismatch",
              old='validation_data=(to_inputs(valid_df, scaler, columns),',
              new='validation_data=({"numbers": valid_df[columns].to_numpy("float32"), "treatment": '
              'valid_df["treatment"].map(TREATMENTS.index).to_numpy()[:, None]},',
              beside=("inputs_not_scaled",), certain=True),
        Fault(cause="learning_rate_too_low", old="Adam(2e-3)", new="Adam(2e-6)", beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

WAFERS = Program(
    name="takehome_wafer_maps",
    source='''
"""Take-home exercise, part 2: classify wafer maps. Own training loop, as asked for."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
PATTERNS = ("centre", "ring", "scratch", "edge", "none")
SIZE, BATCH, EPOCHS = 18, 60, 6


def draw_map(kind: int, rng: np.random.Generator) -> np.ndarray:
    """One wafer as the tester writes it: 0 outside, 127 good die, 255 bad die."""
    yy, xx = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    radius = np.hypot(yy, xx)
    chance = np.full((SIZE, SIZE), 0.07)
    if kind == 0:
        chance += 0.55 * (np.hypot(yy - rng.normal(0, 1), xx - rng.normal(0, 1)) < rng.uniform(2, 3.5))
    elif kind == 1:
        chance += 0.5 * (np.abs(radius - rng.uniform(4.5, 6)) < 1)
    elif kind == 2:
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-4, 4)
        chance += 0.7 * (np.abs(xx * np.cos(angle) + yy * np.sin(angle) - offset) < 0.8)
    elif kind == 3:
        side = np.abs((np.arctan2(yy, xx) - rng.uniform(-3, 3) + np.pi) % (2 * np.pi) - np.pi)
        chance += 0.6 * ((radius > 6.5) & (side < 0.9))
    dies = np.where(rng.random((SIZE, SIZE)) < chance, 255, 127)
    return np.where(radius < SIZE / 2, dies, 0).astype(np.uint8)


def make_maps(per_pattern: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(PATTERNS)), per_pattern)
    return np.stack([draw_map(k, rng) for k in labels])[..., None], labels


def prepare(wafer: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(wafer, tf.float32) / 255.0, label


def build_model() -> keras.Model:
    wafer = keras.Input((SIZE, SIZE, 1))
    x = wafer
    for block, filters in enumerate((12, 24, 32)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{block}")(x)
        x = layers.BatchNormalization(momentum=0.8, name=f"norm_{block}")(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(wafer, layers.Dense(len(PATTERNS), name="scores")(x))


train_x, train_y = make_maps(300, seed=SEED)
valid_x, valid_y = make_maps(60, seed=SEED + 1000)

train_ds = tf.data.Dataset.from_tensor_slices((train_x, train_y))
train_ds = train_ds.map(prepare).cache().shuffle(len(train_x), seed=SEED).batch(BATCH).prefetch(1)
valid_ds = tf.data.Dataset.from_tensor_slices((valid_x, valid_y)).map(prepare).batch(100)

model = build_model()
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.Adam(4e-3)
train_loss = keras.metrics.Mean()
valid_acc = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(wafers: tf.Tensor, labels: tf.Tensor) -> None:
    with tf.GradientTape() as tape:
        scores = model(wafers, training=True)
        loss = loss_fn(labels, scores)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    train_loss.update_state(loss)


@tf.function
def valid_step(wafers: tf.Tensor, labels: tf.Tensor) -> None:
    valid_acc.update_state(labels, model(wafers, training=False))


for epoch in range(EPOCHS):
    train_loss.reset_state()
    valid_acc.reset_state()
    for wafers, labels in train_ds:
        train_step(wafers, labels)
    for wafers, labels in valid_ds:
        valid_step(wafers, labels)
    final_accuracy = float(valid_acc.result())
    print(f"epoch {epoch + 1}: loss {float(train_loss.result()):.3f}, validation accuracy {final_accuracy:.3f}")
''',
    score="final_accuracy",
    bar=0.85,
    base=0.2,
    faults=(
        Fault(cause="pipeline_order", old=".shuffle(len(train_x), seed=SEED).batch(BATCH)",
              new=".batch(BATCH).shuffle(len(train_x), seed=SEED)", accept=("data_sorted",),
              beside=("batchnorm_mode", "shuffle_buffer_too_small")),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(train_x), seed=SEED)", new=".shuffle(BATCH, seed=SEED)",
              accept=("data_sorted",), beside=("batchnorm_mode", "pipeline_order")),
        Fault(cause="loss_metric_inconsistent", old="keras.metrics.SparseCategoricalAccuracy()",
              new="keras.metrics.CategoricalAccuracy()", accept=("wrong_metric",)),
        Fault(cause="batchnorm_mode", old="BatchNormalization(momentum=0.8, ",
              new="BatchNormalization(momentum=0.9999, ", layer=("norm_0", "norm_1", "norm_2"),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="missing_class", old="train_x, train_y = make_maps(300, seed=SEED)\n",
              new="train_x, train_y = make_maps(300, seed=SEED)\ntrain_x, train_y = train_x[:900], train_y[:900]\n",
              beside=("validation_split_sorted", "class_imbalance")),
        Fault(cause="input_ignored", old="tf.cast(wafer, tf.float32) / 255.0", new="tf.cast(wafer > 255, tf.float32)",
              beside=("frozen_or_disconnected", "symmetric_or_zero_init", "inputs_not_scaled")),
        Fault(cause="leakage_duplicates", old="valid_x, valid_y = make_maps(60, seed=SEED + 1000)",
              new="valid_x, valid_y = make_maps(300, seed=SEED)", certain=True),
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(grads, model.trainable_variables))\n", new="",
              beside=("frozen_or_disconnected",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (DENTIST, WAFERS)
