"""Scores rows of numbers: init() loads the model that the deployment mounts, run() answers one request."""

import json
import os
from pathlib import Path

import joblib
from azureml_inference_server_http.api.aml_response import AMLResponse

model = None


def init():
    """Load the one model below AZUREML_MODEL_DIR; the server is ready only after this returned."""
    global model
    (path,) = Path(os.environ["AZUREML_MODEL_DIR"]).rglob("model.joblib")
    model = joblib.load(path)


def run(raw_data):
    """Answer {"predictions": [...]} for {"rows": [[...], ...]}; a request that is wrong gets 400 and the reason."""
    try:
        rows = json.loads(raw_data)["rows"]
        predictions = model.predict(rows).tolist()
    except (ValueError, KeyError, TypeError) as error:
        return AMLResponse({"error": f'send {{"rows": [[0.5, -1.0]]}}, two numbers each: {error}'}, 400, json_str=True)
    return {"predictions": predictions}
