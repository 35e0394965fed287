"""The process in which azure-ai-ml loads YAML files: a JSON list on stdin, a JSON list as the last line of stdout.

Only models/azureml.py starts it. It sends nothing: it turns the library's entities into request bodies, not into
requests.
"""

import io
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;]*m")
REFERENCE_NOISE = ("In order to specify an existing", "Invalid input type.")  # errors of alternatives that do not apply


def main() -> int:
    """Read the request on stdin and print the answer."""
    logging.disable(logging.CRITICAL)
    answers = [answer(one["kind"], Path(one["path"]), one["text"]) for one in json.load(sys.stdin)]
    print()
    print(json.dumps(answers))
    return 0


def answer(kind: str, path: Path, text: str) -> dict[str, Any]:
    """Return {"result"} or {"errors"} for one file."""
    from azure.ai.ml import load_online_deployment, load_online_endpoint
    from azure.ai.ml.exceptions import MlException
    from marshmallow import ValidationError

    stream = io.StringIO(text)
    try:
        if kind == "endpoint":
            return {"result": endpoint(load_online_endpoint(stream, relative_origin=str(path)))}
        return {"result": deployment(load_online_deployment(stream, relative_origin=str(path)), path.parent)}
    except ValidationError as error:
        messages = flatten(ANSI.sub("", str(error)))
    except (MlException, ValueError, TypeError, AttributeError, KeyError, OSError) as error:
        # TypeError and AttributeError: bugs of the library, for example with `identity: {}`.
        messages = [" ".join(ANSI.sub("", str(error)).split()) or type(error).__name__]
    folder = f"{path.parent}{os.sep}"
    return {"errors": [message.replace(folder, "") for message in messages]}


def endpoint(entity: Any) -> dict[str, Any]:
    """Return the endpoint's request body; for a Kubernetes endpoint, with its compute."""
    body: dict[str, Any] = entity._to_rest_online_endpoint("westeurope").as_dict()
    return {
        "properties": body["properties"],
        "identity": body["identity"] if entity.identity else None,
        "tags": body.get("tags") or {},
        "compute": getattr(entity, "compute", None),
    }


def deployment(entity: Any, folder: Path) -> dict[str, Any]:
    """Return the deployment's request body without its assets, and the assets as the file names them."""
    model, code, environment = entity.model, entity.code_configuration, entity.environment
    entity.model = entity.code_configuration = entity.environment = None
    body = entity._to_rest_object("westeurope").as_dict()
    return {
        "properties": body["properties"],
        "tags": body.get("tags") or {},
        "capacity": body["sku"].get("capacity"),
        "model": model if isinstance(model, str) or model is None else _model(model, folder),
        "code": {"code": _text(code.code), "scoring_script": _text(code.scoring_script)} if code else None,
        "environment": environment
        if isinstance(environment, str) or environment is None
        else _environment(environment),
    }


def _model(model: Any, folder: Path) -> dict[str, Any]:
    path = None if model.path is None else str(model.path)
    if path is not None and "://" not in path:
        path = Path(os.path.relpath(path, folder)).as_posix()
    return {"path": path, "type": model.type or "custom_model"}


def _environment(environment: Any) -> dict[str, Any]:
    usable = environment.image is not None and environment.build is None  # else the library raises
    properties = environment._to_rest_object().as_dict()["properties"] if usable else {}
    anonymous = environment.name is None or environment.name == "CliV2AnonymousEnvironment"
    return {"name": None if anonymous else environment.name, "properties": properties}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def flatten(text: str) -> list[str]:
    """Return marshmallow's nested messages as lines `field.field: message`."""
    start = text.find("{")
    try:
        messages, _ = json.JSONDecoder().raw_decode(text[start:]) if start >= 0 else ([text], 0)
    except ValueError:
        messages = [" ".join(text.split())]
    lines = list(dict.fromkeys(_lines("", messages)))
    wanted = [line for line in lines if not any(noise in line for noise in REFERENCE_NOISE)]
    return wanted or [" ".join(line.split()) for line in lines[:1]]


def _lines(where: str, messages: Any) -> list[str]:
    if isinstance(messages, dict):
        found: list[str] = []
        for key, value in messages.items():
            inner = where if key == "_schema" else f"{where}.{key}".strip(".")
            found += _lines(inner, value)
        return found
    if isinstance(messages, list):
        return [line for message in messages for line in _lines(where, message)]
    message = " ".join(str(messages).split())
    return [f"{where}: {message}" if where else message]


if __name__ == "__main__":
    sys.exit(main())
