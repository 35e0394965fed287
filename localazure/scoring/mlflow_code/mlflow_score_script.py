"""The scoring script of an MLflow model that is deployed without code. It runs in the model's environment, not here.

It accepts and returns what the script in Azure's image does (Azure/azureml-assets, assets/inference/environments/
mlflow-py312-inference, at commit 4b41f8ccbc01) for models of tables and tensors: `input_data` as a table in pandas'
split form, a list or named lists, and optional `params`. It collects no data.
"""

# mypy: ignore-errors
# (its imports exist only in the model's environment)

import inspect
import os
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from inference_schema.parameter_types.abstract_parameter_type import (
    AbstractParameterType,
)
from inference_schema.parameter_types.numpy_parameter_type import (
    NumpyParameterType,
)
from inference_schema.parameter_types.pandas_parameter_type import (
    PandasParameterType,
)
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType,
)
from inference_schema.schema_decorators import input_schema
from mlflow.pyfunc.scoring_server import _get_jsonable_obj


class AsItIs(AbstractParameterType):
    """Input that no signature describes."""

    def __init__(self):
        super().__init__(None)

    def deserialize_input(self, input_data):
        """Guess: a table in split form, named tensors, or one tensor."""
        if not isinstance(input_data, dict):
            return np.asarray(input_data) if isinstance(input_data, list) else input_data
        if {"columns", "index", "data"} <= input_data.keys():
            return pd.DataFrame(input_data["data"], input_data["index"], input_data["columns"])
        return {name: np.asarray(values) for name, values in input_data.items()}

    def input_to_swagger(self):
        """Any object."""
        return {"type": "object", "example": {}}


def _input_type(schema):
    if schema is None:
        return AsItIs()
    if not schema.is_tensor_spec():
        columns = dict(zip(schema.input_names(), schema.pandas_types(), strict=True))
        sample = pd.DataFrame(columns=list(columns)).astype(columns)
        return PandasParameterType(sample, enforce_shape=False, orient="split")
    samples = {spec.name: np.zeros([max(1, size) for size in spec.shape], spec.type) for spec in schema.inputs}
    if not schema.has_input_names():
        return NumpyParameterType(next(iter(samples.values())), enforce_shape=False)
    arrays = {name: NumpyParameterType(sample, enforce_shape=False) for name, sample in samples.items()}
    return StandardPythonParameterType(arrays)


_mounted = Path(os.environ["AZUREML_MODEL_DIR"])
_found = [_mounted, *sorted(_mounted.iterdir())]
model = mlflow.pyfunc.load_model(str(next(folder for folder in _found if (folder / "MLmodel").is_file())))


def init():
    """The model is already loaded: `run` cannot be declared without its signature."""


@input_schema("input_data", _input_type(model.metadata.get_input_schema()))
@input_schema("params", StandardPythonParameterType({}), optional=True)
def run(input_data, params=None):
    """One request."""
    more = {"params": params} if "params" in inspect.signature(model.predict).parameters else {}
    return _get_jsonable_obj(model.predict(input_data, **more), pandas_orient="records")
