"""Scores card transactions: init() loads the model that the deployment mounts, run() answers one request.

All colours share this script; what differs is the artefact. A request that is wrong is answered with 400 and every
reason; a model that fails is not dressed up: the exception goes to the server, which answers 500 and logs it.
"""

import json
import logging
import os
from pathlib import Path

import joblib
import numpy as np
from azureml_inference_server_http.api.aml_response import AMLResponse

logger = logging.getLogger(__name__)

MAX_TRANSACTIONS = 1000

FIELDS = {
    "amount": ("a number above 0, at most 1e9", lambda value: _is_number(value) and 0 < value <= 1e9),
    "hour": ("a whole number from 0 to 23", lambda value: _is_whole(value) and 0 <= value <= 23),
    "card_present": ("true or false", lambda value: isinstance(value, bool)),
    "account_age_days": ("a whole number from 0 to 36500", lambda value: _is_whole(value) and 0 <= value <= 36_500),
    "currency": ("three capital letters, e.g. EUR", lambda value: _is_text(value) and _is_currency(value)),
    "category": ("a text, e.g. grocery", lambda value: _is_text(value) and value != ""),
}

model = None
about = {}


def init():
    """Load the one model below AZUREML_MODEL_DIR; the server is ready only after this returned."""
    global model, about
    mounted = Path(os.environ["AZUREML_MODEL_DIR"])
    found = sorted(mounted.rglob("model.joblib"))
    if len(found) != 1:
        raise FileNotFoundError(f"one model.joblib is expected below {mounted}, found {len(found)}")
    about = json.loads(found[0].with_name("about.json").read_text(encoding="utf-8"))
    if sorted(about["columns"]) != sorted(FIELDS):
        raise ValueError(f"the model was trained on {about['columns']}, this script knows {list(FIELDS)}")
    model = joblib.load(found[0])
    logger.info("fraud model %s (%s) is loaded", about["version"], about["trained_with"])


def run(raw_data):
    """Answer {"version", "predictions": [{"fraud_probability", "fraud"}]} for {"transactions": [{...}]}."""
    transactions, problems = parse(raw_data)
    if problems:
        return AMLResponse({"error": "the request is not valid", "problems": problems}, 400, json_str=True)
    rows = np.array([[one[column] for column in about["columns"]] for one in transactions], dtype=object)
    probabilities = model.predict_proba(rows)[:, 1]
    return {
        "version": about["version"],
        "predictions": [
            {"fraud_probability": round(float(probability), 6), "fraud": bool(probability >= about["threshold"])}
            for probability in probabilities
        ],
    }


def parse(raw_data):
    """Return (transactions, problems); the transactions are usable only when there are no problems."""
    try:
        body = json.loads(raw_data)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError included
        return [], [f"the body is not JSON: {error}. Send Content-Type: application/json"]
    transactions = body.get("transactions") if isinstance(body, dict) else None
    if not isinstance(transactions, list) or not 1 <= len(transactions) <= MAX_TRANSACTIONS:
        return [], [f'the body must be {{"transactions": [...]}} with 1 to {MAX_TRANSACTIONS} entries']
    return transactions, [
        problem for index, one in enumerate(transactions) for problem in check(f"transactions[{index}]", one)
    ]


def check(where, transaction):
    """Return what is wrong with one transaction."""
    if not isinstance(transaction, dict):
        return [f"{where} must be an object with {', '.join(FIELDS)}"]
    problems = [f"{where}.{name} is not known" for name in transaction if name not in FIELDS]
    for name, (rule, holds) in FIELDS.items():
        if name not in transaction:
            problems.append(f"{where}.{name} is missing: {rule}")
        elif not holds(transaction[name]):
            problems.append(f"{where}.{name} must be {rule}, got {json.dumps(transaction[name])}")
    return problems


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)  # NaN fails every comparison


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value):
    return isinstance(value, str)


def _is_currency(value):
    return len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()
