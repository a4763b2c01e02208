"""Scripts of a bank's model validation team: defaults of instalment loans, and recoveries after default."""

from keras_course.diagnostics.corpus import Fault, Program

DEFAULT = Program(
    name="bankers_retail_default",
    source="""
'''Challenger model for the 12-month default of unsecured instalment loans (validation file MRV-2231).

The production scorecard is a logistic regression. The challenger is a small network on the same fields, estimated on
one part of the portfolio and judged on a part that it has not seen.
'''
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split


@dataclass(frozen=True)
class Settings:
    seed: int = SEED
    loans: int = 9000
    holdout_share: float = 0.3
    hidden: tuple = (48, 24)
    learning_rate: float = 2e-3
    batch_size: int = 128
    epochs: int = 12


EMPLOYMENT = ['salaried', 'self_employed', 'pensioner', 'student']
CHANNELS = ['branch', 'web', 'broker']
# known only after the observation date, or not a property of the loan
NOT_FEATURES = ['loan_id', 'arrears_months', 'provision_eur', 'default', 'employment', 'channel']


def draw_portfolio(settings: Settings) -> pd.DataFrame:
    '''The anonymised snapshot of 31 December, one row per loan, with what happened in the twelve months after it.'''
    rng = np.random.default_rng(settings.seed)
    n = settings.loans
    employment = rng.choice(EMPLOYMENT, n, p=[0.66, 0.14, 0.15, 0.05])
    channel = rng.choice(CHANNELS, n, p=[0.45, 0.4, 0.15])
    income = rng.lognormal(10.3, 0.45, n)
    income[(employment == 'student') & (rng.random(n) < 0.5)] = 0.0
    table = pd.DataFrame({
        'loan_id': np.arange(700001, 700001 + n),
        'age': rng.integers(19, 80, n),
        'income_eur': income.round(-1),
        'balance_eur': rng.lognormal(9.0, 0.6, n).round(),
        'utilisation': rng.beta(1.6, 2.4, n),
        'months_on_book': rng.integers(3, 84, n),
        'enquiries_6m': rng.poisson(1.1, n),
        'employment': employment,
        'channel': channel,
    })
    burden = table['balance_eur'] / table['income_eur'].clip(lower=4000)
    stress = (
        1.9 * np.log(burden / 0.28)
        + 7.5 * (table['utilisation'] - 0.4)
        + 1.0 * (table['enquiries_6m'] - 1.1)
        + 1.8 * ((table['age'] < 27) & (channel == 'web'))
        + 1.6 * (employment == 'self_employed')
        - 0.05 * (table['months_on_book'] - 40)
    )
    worst = np.floor(np.maximum(0.0, 0.8 * (stress + rng.logistic(0, 0.45, n) - 1.9)))
    table['arrears_months'] = worst.astype(int)
    table['provision_eur'] = (table['balance_eur'] * np.clip(worst * 0.2, 0.01, 0.9) * rng.uniform(0.8, 1.2, n)).round()
    table['default'] = (table['arrears_months'] >= 3).astype(int)
    return table


def features(table: pd.DataFrame) -> pd.DataFrame:
    '''Ratios, logarithms and dummies.'''
    x = table.drop(columns=NOT_FEATURES).astype(float)
    x['burden'] = np.log1p(x['balance_eur'] / x['income_eur'].clip(lower=1200))
    x['income_eur'] = np.log1p(x['income_eur'])
    x['balance_eur'] = np.log1p(x['balance_eur'])
    for value in EMPLOYMENT:
        x['employment_' + value] = (table['employment'] == value).astype(float)
    for value in CHANNELS:
        x['channel_' + value] = (table['channel'] == value).astype(float)
    return x


def build(width: int, settings: Settings) -> keras.Model:
    inputs = keras.Input((width,), name='fields')
    x = inputs
    for i, units in enumerate(settings.hidden):
        x = keras.layers.Dense(units, activation='elu', name=f'hidden_{i}')(x)
    score = keras.layers.Dense(1, name='score')(x)
    outputs = keras.layers.Activation('sigmoid', name='pd')(score)
    model = keras.Model(inputs, outputs, name='challenger')
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss='binary_crossentropy',
        metrics=[keras.metrics.AUC(name='auc')],
    )
    return model


def main(settings: Settings) -> dict:
    keras.utils.set_random_seed(settings.seed)
    portfolio = draw_portfolio(settings)
    development, holdout = train_test_split(
        portfolio, test_size=settings.holdout_share, stratify=portfolio['default'], random_state=settings.seed
    )
    x, x_holdout = features(development), features(holdout)
    centre, spread = x.mean(), x.std().replace(0.0, 1.0)
    x, x_holdout = (x - centre) / spread, (x_holdout - centre) / spread
    y, y_holdout = development['default'].to_numpy(), holdout['default'].to_numpy()

    counts = np.bincount(y, minlength=2)
    balance = {k: len(y) / (2.0 * max(counts[k], 1)) for k in (0, 1)}  # both classes count the same
    model = build(x.shape[1], settings)
    model.fit(
        x.to_numpy('float32'), y, validation_data=(x_holdout.to_numpy('float32'), y_holdout),
        batch_size=settings.batch_size, epochs=settings.epochs, class_weight=balance, verbose=2,
    )
    pd_holdout = model.predict(x_holdout.to_numpy('float32'), verbose=0)[:, 0]
    known = len(np.unique(y_holdout)) == 2 and np.isfinite(pd_holdout).all()
    return {
        'default_rate': float(y.mean()),
        'auc': roc_auc_score(y_holdout, pd_holdout) if known else 0.5,
        'balanced_accuracy': balanced_accuracy_score(y_holdout, pd_holdout > 0.5) if known else 0.5,
    }


if __name__ == '__main__':
    report = main(Settings())
    print(pd.Series(report).round(4).to_string())
""",
    score="report['balanced_accuracy']",
    bar=0.88,
    base=0.5,
    odd="defaults are rare, and the class weights make up for it",
    faults=(
        Fault(cause="softmax_on_single_unit", old="keras.layers.Activation('sigmoid', name='pd')(score)",
              new="keras.layers.Softmax(name='pd')(score)", accept=("wrong_head_for_labels",), layer=("pd",)),
        Fault(cause="class_imbalance", old="len(y) / (2.0 * max(counts[k], 1)) for k",
              new="counts[k] / len(y) for k"),
        Fault(cause="leakage_feature", old="'arrears_months', 'provision_eur', 'default', 'employment'",
              new="'arrears_months', 'default', 'employment'", certain=True),
        Fault(cause="leakage_duplicates", old="    development, holdout = train_test_split(",
              new="    defaulted = portfolio[portfolio['default'] == 1]\n"
                  "    portfolio = pd.concat([portfolio] + [defaulted] * 5, ignore_index=True)\n"
                  "    development, holdout = train_test_split(", certain=True),
        Fault(cause="constant_labels", old="(table['arrears_months'] >= 3)", new="(table['arrears_months'] >= 90)",
              accept=("label_encoding",), beside=("missing_class", "class_imbalance")),
        Fault(cause="nan_or_inf_in_data", old="x['balance_eur'] / x['income_eur'].clip(lower=1200))",
              new="x['balance_eur'] / x['income_eur'])"),
        Fault(cause="wrong_metric", old="keras.metrics.AUC(name='auc')",
              new="keras.metrics.CategoricalAccuracy(name='accuracy')", certain=True),
    ),
    seeds=3,
)  # fmt: skip

RECOVERY = Program(
    name="bankers_recovery_rate",
    source="""
'''Replication of the recovery model for defaulted corporate facilities.

Fractional response: the recovery rate lies between 0 and 1, so the network ends in a sigmoid and is fitted by the
Bernoulli quasi-likelihood. Development on the vintages up to 2016, out-of-time test on the later ones.
'''
import dataclasses

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

keras.utils.set_random_seed(SEED)

NUMERIC = ['log_exposure', 'ltv', 'seniority', 'gdp_growth', 'years_as_client', 'leverage', 'guarantee_share']
COLLATERAL = ['none', 'real_estate', 'receivables', 'machinery']
LAST_DEVELOPMENT_VINTAGE = 2016
BATCH = 64
STEPS = 80
EPOCHS = 14


def facilities(n: int, rng: np.random.Generator) -> pd.DataFrame:
    '''Resolved defaults, with the discounted cash that came back.'''
    vintage = rng.integers(2005, 2021, n)
    table = pd.DataFrame({
        'vintage': vintage,
        'collateral': rng.choice(COLLATERAL, n, p=[0.3, 0.35, 0.2, 0.15]),
        'log_exposure': rng.normal(12.4, 1.1, n) + 0.05 * (vintage - 2012),
        'ltv': rng.gamma(9.0, 8.5, n) + 4.0 * np.maximum(vintage - 2014, 0),
        'seniority': rng.integers(1, 5, n),
        'gdp_growth': 1.6 + 1.5 * np.sin(vintage * 1.1) + rng.normal(0, 0.8, n),
        'years_as_client': rng.exponential(7.0, n),
        'leverage': rng.lognormal(1.1, 0.4, n),
        'guarantee_share': rng.beta(0.7, 1.8, n) * 100.0,
    })
    secured = (table['collateral'] != 'none').to_numpy()
    cover = (72.0 - table['ltv']) / 20.0
    index = (
        np.where(secured, 1.7 * np.tanh(cover), -0.7)
        + 1.7 * np.sin(1.5 * (table['gdp_growth'] - 1.6)) * np.where(table['collateral'] == 'real_estate', 1.0, -0.6)
        - 0.9 * np.abs(table['log_exposure'] - 12.4)
        + np.where(table['seniority'] <= 2, 1.0, -0.6) * (table['guarantee_share'] - 28.0) / 22.0
        - 0.5 * (table['leverage'] - 3.2)
        + 0.9
    )
    mean = 1.0 / (1.0 + np.exp(-index))
    table['recovery'] = rng.beta(9.0 * mean + 0.05, 9.0 * (1.0 - mean) + 0.05)
    return table


@dataclasses.dataclass(frozen=True)
class Standardiser:
    '''Means and deviations of the numeric fields.'''

    mean: pd.Series
    std: pd.Series

    @classmethod
    def fit(cls, table: pd.DataFrame) -> 'Standardiser':
        return cls(table[NUMERIC].mean(), table[NUMERIC].std())

    def transform(self, numbers: pd.DataFrame) -> pd.DataFrame:
        return (numbers[NUMERIC] - self.mean) / self.std


def tensors(table: pd.DataFrame, standardiser: Standardiser):
    numbers = standardiser.transform(table)
    kind = pd.Categorical(table['collateral'], categories=COLLATERAL).codes
    target = table['recovery'].to_numpy('float32')
    return {'numbers': numbers.to_numpy('float32'), 'collateral': kind.astype('int32')}, target[:, None]


def hidden_layer(x, units: int, name: str):
    x = keras.layers.Dense(
        units, kernel_regularizer=keras.regularizers.L2(1e-6), bias_initializer=keras.initializers.Constant(0.05),
        name=name,
    )(x)
    x = keras.layers.ReLU(name=name + '_relu')(x)
    return x


def recovery_model() -> keras.Model:
    numbers = keras.Input((len(NUMERIC),), name='numbers')
    collateral = keras.Input((), dtype='int32', name='collateral')
    vector = keras.layers.Embedding(len(COLLATERAL), 4, name='collateral_vector')(collateral)
    x = keras.layers.Concatenate()([numbers, vector])
    x = hidden_layer(x, 64, 'first')
    x = hidden_layer(x, 64, 'second')
    rate = keras.layers.Dense(1, activation='sigmoid', name='rate')(x)
    return keras.Model({'numbers': numbers, 'collateral': collateral}, rate)


def r_squared(target: np.ndarray, forecast: np.ndarray) -> float:
    return float(1.0 - np.mean((target - forecast) ** 2) / np.var(target))


table = facilities(9000, np.random.default_rng(SEED))
development = table[table['vintage'] <= LAST_DEVELOPMENT_VINTAGE]
later = table[table['vintage'] > LAST_DEVELOPMENT_VINTAGE]
standardiser = Standardiser.fit(development)
x_dev, y_dev = tensors(development, standardiser)
x_oot, y_oot = tensors(later, standardiser)

stream = tf.data.Dataset.from_tensor_slices((x_dev, y_dev)).shuffle(len(y_dev), seed=SEED)
stream = stream.repeat().batch(BATCH).prefetch(2)
out_of_time = tf.data.Dataset.from_tensor_slices((x_oot, y_oot)).batch(512)

model = recovery_model()
model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss='binary_crossentropy', metrics=['mae'])
model.fit(stream, steps_per_epoch=STEPS, epochs=EPOCHS, validation_data=out_of_time, verbose=2)

forecast = model.predict(out_of_time, verbose=0)
r2 = r_squared(y_oot, forecast)
print(later.assign(forecast=forecast[:, 0]).groupby('collateral')[['recovery', 'forecast']].mean().round(3))
print('out-of-time R2', round(r2, 4))
""",
    score="r2",
    bar=0.6,
    base=0.0,
    odd="a regression under binary crossentropy: the targets are fractions",
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="    target = table['recovery'].to_numpy('float32')\n",
              new="    rate = table['recovery'].clip(0.01, 0.99)\n"
                  "    target = np.log(rate / (1.0 - rate)).to_numpy('float32')\n",
              accept=("wrong_loss_for_task",), beside=("targets_not_scaled", "wrong_head_for_labels"), layer=("rate",)),
        Fault(cause="inputs_scaled_twice", old="    numbers = standardiser.transform(table)\n",
              new="    table = table.assign(**standardiser.transform(table))\n"
                  "    numbers = standardiser.transform(table)\n",
              beside=("inputs_not_scaled",)),
        Fault(cause="train_val_preprocessing_mismatch", old="tensors(later, standardiser)",
              new="tensors(later.assign(ltv=later['ltv'] / 100.0), standardiser)"),
        Fault(cause="overfitting", old="LAST_DEVELOPMENT_VINTAGE]\nlater =",
              new="LAST_DEVELOPMENT_VINTAGE].head(150)\nlater ="),
        Fault(cause="dead_units", old="keras.initializers.Constant(0.05)", new="keras.initializers.Constant(-5.0)",
              accept=("init_scale",), layer=("first", "second", "first_relu", "second_relu")),
        Fault(cause="missing_nonlinearity", old="    x = keras.layers.ReLU(name=name + '_relu')(x)\n",
              new="    keras.layers.ReLU(name=name + '_relu')(x)\n", beside=("underfitting_capacity",),
              layer=("first", "second")),
        Fault(cause="regularisation_overwhelms", old="keras.regularizers.L2(1e-6)", new="keras.regularizers.L1(0.05)",
              layer=("first", "second")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [DEFAULT, RECOVERY]
