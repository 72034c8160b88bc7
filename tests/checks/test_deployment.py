"""What compiles and exports passes, and what can't is a defect."""

import pytest
import torch

from lightning_acts.checks import deployment
from lightning_acts.checks.behavior import check_behavior
from lightning_acts.definition import define


@pytest.mark.parametrize("check", deployment.CHECKS)
def test_deployment(check: str) -> None:
    if (needed := deployment.missing(check)) is not None:
        pytest.skip(f"needs {needed}")
    only = {check: deployment.CHECKS[check]}
    assert check_behavior(define(lambda x: x * torch.sigmoid(x), name="subject"), checks=only) == []
    broken = check_behavior(define(lambda x: x if x.sum() > 0 else -x, name="subject"), checks=only)
    assert [defect.check for defect in broken] == [check]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment.shutil, "which", lambda name: None)
    assert deployment.missing("inductor") == "a C++ compiler"
    monkeypatch.setattr(deployment.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else name)
    assert deployment.missing("onnx") == "onnxruntime"
