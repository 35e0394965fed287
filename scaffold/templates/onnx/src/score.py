"""Scores rows of numbers: init() loads the ONNX model that the deployment mounts, run() answers one request."""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
from azureml_inference_server_http.api.aml_response import AMLResponse

session = None


def init():
    """Load the one model below AZUREML_MODEL_DIR; the server is ready only after this returned."""
    global session
    (path,) = Path(os.environ["AZUREML_MODEL_DIR"]).rglob("model.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(raw_data):
    """Answer {"predictions": [...]} for {"rows": [[...], ...]}; a request that is wrong gets 400 and the reason."""
    try:
        rows = np.asarray(json.loads(raw_data)["rows"], dtype=np.float32)
        (predictions,) = session.run(None, {session.get_inputs()[0].name: rows})
    except Exception as error:  # onnxruntime raises types of its own for a wrong shape
        return AMLResponse({"error": f'send {{"rows": [[0.5, -1.0]]}}, two numbers each: {error}'}, 400, json_str=True)
    return {"predictions": predictions.tolist()}
