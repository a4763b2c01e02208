"""Real tables that scikit-learn brings, as the tests of the rules use them."""

from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

DIGITS, LABELS = load_digits(return_X_y=True)  # (1797, 64) grey levels from 0 to 1, and which of ten digits it is
DIGITS = (DIGITS / 16).astype("float32")
IMAGES = DIGITS.reshape(-1, 8, 8, 1)
CELLS, BENIGN = load_breast_cancer(return_X_y=True)  # (569, 30) measurements in their units, and 1 for benign
MEASURED = ((CELLS - CELLS.mean(0)) / CELLS.std(0)).astype("float32")  # the same with means of 0 and spreads of 1
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)  # (442, 10) measurements, and a whole number from 25 to 346
WINE, CULTIVAR = load_wine(return_X_y=True)  # (178, 13) measurements in their units, and which of three it is
