"""Builds the interface of apps with a real Gradio and stand-ins for the libraries of models.

    python interface.py FOLDER

FOLDER has a folder for each template, with its `app.py`. Prints a line of JSON for each: the parameters and the
components of its endpoint.
"""

from __future__ import annotations

import json
import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from unittest.mock import MagicMock

#: Libraries that take gigabytes. Gradio does not need them.
LIBRARIES = (
    "torch", "transformers", "diffusers", "diffusers.utils", "timm", "timm.data", "peft", "sentence_transformers", "av",
    "librosa", "spaces",
)


class StandIn(MagicMock):
    """A library whose names all exist."""

    __spec__ = ModuleSpec("stand-in", None)
    __path__: list = []


def main(folder: str) -> None:
    for name in LIBRARIES:
        sys.modules[name] = StandIn()
    # A decorator returns the function itself, with and without options.
    sys.modules["spaces"].GPU = lambda function=None, **_: function if callable(function) else lambda inner: inner
    # A number that is compared.
    model = sys.modules["transformers"].AutoModelForCausalLM.from_pretrained.return_value
    model.get_input_embeddings.return_value.num_embeddings = 0
    import gradio

    for app in sorted(Path(folder).glob("*/app.py")):
        demo = runpy.run_path(str(app), run_name="app")["demo"]
        endpoints = demo.get_api_info()["named_endpoints"]
        shown = {
            name: {
                "parameters": [parameter["parameter_name"] for parameter in endpoint["parameters"]],
                "returns": [result["component"] for result in endpoint["returns"]],
            }
            for name, endpoint in endpoints.items()
        }
        print(json.dumps({"template": app.parent.name, "gradio": gradio.__version__, "endpoints": shown}))


if __name__ == "__main__":
    main(sys.argv[1])
