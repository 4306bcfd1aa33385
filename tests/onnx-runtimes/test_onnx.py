"""Exported ONNX files: their checker, and ONNX Runtime's predictions beside klubok's.

`cargo xtask test --only onnx` writes the files into the folder that `KLUBOK_ONNX` names.
"""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

FILES = sorted(Path(os.environ["KLUBOK_ONNX"]).glob("*.onnx"))


def predict(path, rows):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    (input,) = session.get_inputs()
    dtype = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[input.type]
    names = [output.name for output in session.get_outputs()]
    samples = rows.reshape(-1, *input.shape[1:]).astype(dtype)
    return dict(zip(names, session.run(None, {input.name: samples}))), session.get_modelmeta()


def test_there_are_files():
    assert len(FILES) > 200


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    rows, expected, scale = (np.load(path.with_suffix(f".{name}.npy")) for name in ("rows", "expected", "scale"))
    results, about = predict(path, rows)
    got = results.get("probabilities", results.get("values"))
    # Confidences lie between 0 and 1; numbers have a scale of their own.
    np.testing.assert_array_less(np.abs(got - expected) / np.maximum(np.abs(expected), scale), 1e-5)
    assert about.producer_name == "klubok"
    facts = about.custom_metadata_map
    names = json.loads(facts["names"])
    assert len(names) == got.shape[1]
    assert facts["task"] == ("number" if "values" in results else "class" if "class" in results else "label")
    if "class" in results:
        assert (results["class"] == got.argmax(axis=1)).all()
        assert results["label"].tolist() == [names[k] for k in results["class"]]
    # One sample alone gives the same as in a batch.
    alone, _ = predict(path, rows[:1])
    np.testing.assert_allclose(alone.get("probabilities", alone.get("values")), got[:1], rtol=1e-5, atol=1e-5 * scale.max())
