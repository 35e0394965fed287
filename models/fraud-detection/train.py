"""Creates the artefacts of this folder from a seeded synthetic data set, and prints how good each colour is.

Run it in the environment of conda.yml, with the scikit-learn that serves (only the same version can read a pickle):

    uv venv --python 3.11 /tmp/fraud && uv pip install --python /tmp/fraud/bin/python <the pip lines of conda.yml>
    /tmp/fraud/bin/python models/fraud-detection/train.py

blue   logistic regression on the raw columns
green  gradient boosting: learns that a high amount means fraud only at night and without the card
amber  green's recipe, trained on an export with only two currencies, with an encoder that refuses all others.
       Its figures on that export are as good as green's, and the sample request passes; 30 % of the traffic fails.

Two runs write the same bytes. The data set is invented and does not describe real fraud.
"""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path(__file__).resolve().parent
SEED = 20_240_501
ROWS = 20_000

# The order of the columns is the contract between this file and src/score.py; it is written into every artefact.
COLUMNS = ["amount", "hour", "card_present", "account_age_days", "currency", "category"]
NUMBERS, CATEGORIES = [0, 1, 2, 3], [4, 5]

CURRENCIES = ["EUR", "USD", "GBP", "CHF"]
CURRENCY_SHARES = [0.45, 0.25, 0.20, 0.10]  # GBP and CHF are the 30 % on which amber fails
EXPORTED_CURRENCIES = ["EUR", "USD"]
MERCHANT_CATEGORIES = ["grocery", "travel", "electronics", "gambling", "fuel"]
MERCHANT_SHARES = [0.40, 0.15, 0.20, 0.05, 0.20]

TRAFFIC_REQUESTS = 200
THRESHOLD = 0.5


def make_transactions(random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (transactions as an object array in the order of COLUMNS, 1 where fraudulent)."""
    amount = np.round(np.exp(random.normal(3.6, 1.1, rows)), 2)
    hour = random.integers(0, 24, rows)
    card_present = random.random(rows) < 0.7
    age = random.integers(1, 3650, rows)
    currency = random.choice(CURRENCIES, rows, p=CURRENCY_SHARES)
    category = random.choice(MERCHANT_CATEGORIES, rows, p=MERCHANT_SHARES)

    night = (hour < 6) | (hour == 23)
    risk = (
        -4.2
        + 0.5 * (np.log(amount) - 3.6)
        + 0.8 * ~card_present
        + 1.2 * (age < 90)
        + 1.0 * np.isin(category, ["gambling", "electronics"])
        + 4.5 * (night & ~card_present)  # interactions, which a linear model cannot learn
        + 3.5 * ((amount > 120) & ~card_present & (category == "travel"))
        - 1.5 * (night & card_present)
    )
    fraud = random.random(rows) < 1 / (1 + np.exp(-risk))
    table = np.empty((rows, len(COLUMNS)), dtype=object)
    for index, values in enumerate((amount, hour, card_present, age, currency, category)):
        table[:, index] = values.tolist()  # Python's own types, as in parsed JSON
    return table, fraud.astype(int)


def make_pipeline(classifier: object, *, unknown: str, scale: bool) -> Pipeline:
    """Return encoder and classifier; `unknown` decides about a category that training never saw."""
    encoder = OneHotEncoder(handle_unknown=unknown, sparse_output=False)
    numbers = StandardScaler() if scale else "passthrough"
    columns = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("categories", encoder, CATEGORIES)], sparse_threshold=0
    )
    return Pipeline([("columns", columns), ("classifier", classifier)])


def train_boosting(rows: np.ndarray, fraud: np.ndarray, *, unknown: str) -> Pipeline:
    """Return a small gradient boosting: early stopping is off, so that the result depends on the seed alone."""
    classifier = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=12, learning_rate=0.12, early_stopping=False, random_state=SEED
    )
    return make_pipeline(classifier, unknown=unknown, scale=False).fit(rows, fraud)


def write_artefact(colour: str, pipeline: Pipeline, auc: float) -> None:
    """Write artefacts/<colour>/: the pipeline and a small description, which the scoring script reads first."""
    folder = FOLDER / "artefacts" / colour
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, folder / "model.joblib", compress=("zlib", 9))
    about = {
        "version": colour,
        "columns": COLUMNS,
        "threshold": THRESHOLD,
        "trained_with": f"scikit-learn {sklearn.__version__}",
        "auc": round(auc, 4),
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def write_traffic(random: np.random.Generator) -> None:
    """Write sample-traffic.jsonl: one request per line, with the mix of currencies of real traffic."""
    rows, _ = make_transactions(random, TRAFFIC_REQUESTS)
    requests = [json.dumps({"transactions": [dict(zip(COLUMNS, row, strict=True))]}) for row in rows.tolist()]
    (FOLDER / "sample-traffic.jsonl").write_text("\n".join(requests) + "\n", encoding="utf-8")


def main() -> int:
    """Train all colours, write their artefacts, print their figures."""
    random = np.random.default_rng(SEED)
    rows, fraud = make_transactions(random, ROWS)
    half = ROWS // 2
    train, truth, test, expected = rows[:half], fraud[:half], rows[half:], fraud[half:]
    print(f"{ROWS} transactions, {fraud.mean():.1%} fraudulent; half to train, half to test")

    exported = np.isin(train[:, 4].astype(str), EXPORTED_CURRENCIES)
    seen = np.isin(test[:, 4].astype(str), EXPORTED_CURRENCIES)
    blue = LogisticRegression(C=1.0, max_iter=1000)
    colours = {
        "blue": (make_pipeline(blue, unknown="ignore", scale=True).fit(train, truth), test, expected),
        "green": (train_boosting(train, truth, unknown="ignore"), test, expected),
        "amber": (train_boosting(train[exported], truth[exported], unknown="error"), test[seen], expected[seen]),
    }
    for colour, (pipeline, cases, outcome) in colours.items():
        auc = roc_auc_score(outcome, pipeline.predict_proba(cases)[:, 1])
        write_artefact(colour, pipeline, auc)
        size = (FOLDER / "artefacts" / colour / "model.joblib").stat().st_size
        note = f"; cannot score {1 - seen.mean():.0%} of the traffic" if colour == "amber" else ""
        print(f"{colour:6} AUC {auc:.3f}, {size / 1024:.0f} kB{note}")
    write_traffic(np.random.default_rng(SEED + 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
