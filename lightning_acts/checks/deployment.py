"""An activation compiled by Inductor or run by ONNX Runtime, against what torch computes itself."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable

import torch

from lightning_acts.checks.behavior import Subject, any_batch, assert_same, check_compiled


def _inductor(subject: Subject) -> None:
    import torch._inductor.config as inductor  # late: loading Inductor takes long

    # What an interrupted compilation once left on the disk would be taken for the activation.
    with inductor.patch(force_disable_caches=True):
        check_compiled(subject, "inductor")


def _onnx(subject: Subject) -> None:
    import onnxruntime

    inputs = (subject.x, *subject.others)
    program = torch.onnx.export(subject.module, inputs, dynamo=True, dynamic_shapes=any_batch(subject), verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    more = tuple(torch.cat([x, 3 * x, 30 * x]) for x in inputs)
    names = [entry.name for entry in session.get_inputs()]
    (y,) = session.run(None, {name: x.numpy() for name, x in zip(names, more, strict=True)})
    # Its kernels are approximations: its sigmoid is off by 1e-7, which a large input multiplies.
    assert_same(torch.from_numpy(y), subject.module(*more), "ONNX Runtime", rtol=1e-4, atol=1e-4)


#: The checks by name, which take seconds each; like those of behavior, but they need other software.
CHECKS: dict[str, Callable[[Subject], None]] = {"inductor": _inductor, "onnx": _onnx}


def missing(check: str) -> str | None:
    """Return what a check needs and this machine lacks; None where it can run."""
    if check == "inductor":
        compilers = (os.environ.get("CXX", "g++"), "clang++", "cl")
        return None if any(map(shutil.which, compilers)) else "a C++ compiler"
    packages = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    return ", ".join(packages) or None
