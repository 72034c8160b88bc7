"""Good behaviour of an activation: all the ways in which torch uses a module, and every shape and type of input."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts import registry
from lightning_acts.checks.numerics import Defect
from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.module import FunctionActivation, build

# Values for required parameters of the activations that ship; with them a sample of the shape (2, 4, 6, 6) fits.
_USUAL = {
    "channels": 4,
    "features": 6,
    "threshold": 0.5,
    "value": 0.25,
    "in_features": 6,
    "in1_features": 6,
    "in2_features": 6,
    "out_features": 3,
}


class Subject:
    """An activation under test: its module in evaluation mode, sized, and an input that it takes."""

    def __init__(self, definition: Definition, parameters: Mapping[str, Any]) -> None:
        given = dict(parameters)
        for entry in definition.parameters:
            if entry.default is REQUIRED and entry.name not in given and entry.name in _USUAL:
                given[entry.name] = _USUAL[entry.name]
            if entry.name == "dim" and entry.default is None:  # softmax and its kin, which guess it with a warning
                given.setdefault("dim", -1)
        self.definition = definition
        self.given = definition.check(given)
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(2, 4, 6, 6, generator=generator)
        self.others = (self.x,) if "in2_features" in given else ()
        if definition.name == "sparse_softmax":
            self.x = self.x[0, 0].to_sparse()
        self.module = self.fresh()

    def fresh(self) -> nn.Module:
        """Another module of the same parameters, sized."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = build(self.definition, self.given).eval()
            module(self.x, *self.others)
        return module

    @property
    def elementwise(self) -> bool:
        """Whether any shape will do."""
        return self.definition.kind == "elementwise"

    def __call__(self, x: Tensor) -> Tensor:  # noqa: D102 - what the module does
        result: Tensor = self.module(x, *self.others)
        return result


def check_behaviour(definition: Definition, parameters: Mapping[str, Any] | None = None) -> list[Defect]:
    """Every check of this module on one activation; what fails, in words.

    Args:
        definition: The activation.
        parameters: Values for its parameters: those without a default need one.

    Raises:
        SpecError: A parameter is missing or wrong.
    """
    subject = Subject(definition, parameters or {})
    defects = []
    for name, check in CHECKS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(subject)
        except Exception as error:
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            defects.append(Defect(name, reason[:300]))
    return defects


def _same(one: Tensor, other: Tensor, what: str) -> None:
    if one.shape != other.shape or one.dtype != other.dtype:
        raise AssertionError(f"{what}: {tuple(one.shape)} {one.dtype} against {tuple(other.shape)} {other.dtype}")
    if not torch.allclose(one.to_dense(), other.to_dense(), rtol=1e-5, atol=1e-6, equal_nan=True):
        worst = (one.to_dense() - other.to_dense()).abs().max().item()
        raise AssertionError(f"{what}: off by {worst:.3g}")


def _shapes(subject: Subject) -> None:
    if not subject.elementwise:
        return
    per_channel = any(parameter.dim() for parameter in subject.module.parameters())
    if not per_channel:
        for shape in ((), (1,), (0,), (3, 0, 2)):
            x = torch.full(shape, 0.3)
            y = subject(x)
            if y.shape != x.shape:
                raise AssertionError(f"the shape {shape} becomes {tuple(y.shape)}")
            _same(y, torch.full_like(y, float(subject(torch.tensor(0.3)))), f"the shape {shape}")
    empty = subject(subject.x[:0])
    if empty.shape != subject.x[:0].shape:
        raise AssertionError(f"an empty batch becomes {tuple(empty.shape)}")


def _memory(subject: Subject) -> None:
    if subject.x.is_sparse:
        return
    expected = subject(subject.x)
    strided = torch.stack([subject.x, subject.x], -1)[..., 0]
    _same(subject(strided), expected, "non-contiguous input")
    last = subject.x.to(memory_format=torch.channels_last)
    y = subject(last)
    _same(y, expected, "channels_last input")
    if subject.elementwise and not y.is_contiguous(memory_format=torch.channels_last):
        raise AssertionError("channels_last input is not channels_last after it")


def _integers(subject: Subject) -> None:
    if not subject.elementwise or subject.definition.module_class is not None:
        return
    x = torch.arange(288).view(2, 4, 6, 6) % 7 - 3
    _same(subject(x), subject(x.to(torch.get_default_dtype())), "integer input")


def _complex(subject: Subject) -> None:
    if subject.definition.module_class is not None:
        return
    try:
        subject(subject.x.to(torch.complex64) if not subject.x.is_sparse else torch.ones(2, 2, dtype=torch.complex64))
    except (TypeError, ValueError):
        return
    raise AssertionError("complex input is taken without a word")


def _input_stays(subject: Subject) -> None:
    before = subject.x.clone()
    for mode in (True, False):
        subject.fresh().train(mode)(subject.x, *subject.others)
    if not torch.equal(before.to_dense(), subject.x.to_dense()):
        raise AssertionError("changes its input")


def _half_types(subject: Subject) -> None:
    if subject.x.is_sparse:
        return
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        module = subject.fresh().to(dtype)
        y = module(subject.x.to(dtype), *(other.to(dtype) for other in subject.others))
        if y.dtype != dtype:
            raise AssertionError(f"{dtype} becomes {y.dtype}")


def _autocast(subject: Subject) -> None:
    if subject.x.is_sparse:
        return
    with torch.autocast("cpu", torch.bfloat16):
        y = subject(subject.x)
    if not y.isfinite().all() and subject(subject.x).isfinite().all():
        raise AssertionError("not finite under autocast")


def _meta(subject: Subject) -> None:
    if subject.x.is_sparse:
        return
    y = copy.deepcopy(subject.module).to("meta")(subject.x.to("meta"), *(other.to("meta") for other in subject.others))
    if y.shape != subject(subject.x).shape or not y.is_meta:
        raise AssertionError(f"on the meta device the result is {tuple(y.shape)} on {y.device}")


def _copies(subject: Subject) -> None:
    expected = subject(subject.x)
    for what, twin in (
        ("deepcopy", copy.deepcopy(subject.module)),
        ("pickle", pickle.loads(pickle.dumps(subject.module))),
        ("a deep copy before its first input", copy.deepcopy(build(subject.definition, subject.given)).eval()),
    ):
        if what != "a deep copy before its first input":
            _same(twin(subject.x, *subject.others), expected, what)


def _state_dict(subject: Subject) -> None:
    source = subject.fresh()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.01)
    buffer = io.BytesIO()
    torch.save(source.state_dict(), buffer)
    buffer.seek(0)
    # Into one that has not seen an input, too.
    for target in (subject.fresh(), build(subject.definition, subject.given).eval()):
        buffer.seek(0)
        target.load_state_dict(torch.load(buffer, weights_only=True))
        expected = source(subject.x, *subject.others)
        _same(target(subject.x, *subject.others), expected, "after load_state_dict")


def _repr(subject: Subject) -> None:
    if not isinstance(subject.module, FunctionActivation):
        return
    again = registry.create(repr(subject.module)).eval()
    _same(again(subject.x, *subject.others), subject(subject.x), f"the activation of its repr {subject.module!r}")


def _parameter_gradients(subject: Subject) -> None:
    module = subject.fresh()
    parameters = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    if not parameters:
        return
    module(subject.x, *subject.others).square().sum().backward()
    missing = [name for name, parameter in parameters if parameter.grad is None]
    if missing:
        raise AssertionError(f"no gradient reaches {', '.join(missing)}")
    for name, parameter in parameters:
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise AssertionError(f"the gradient of {name} is not finite")


def _compile(subject: Subject) -> None:
    if subject.x.is_sparse:
        return
    torch.compiler.reset()
    compiled = torch.compile(subject.module, backend="aot_eager", fullgraph=True, dynamic=True)
    for batch in (2, 3):
        x = subject.x.repeat(batch, 1, 1, 1)[:batch].clone().requires_grad_()
        others = tuple(other.repeat(batch, 1, 1, 1)[:batch] for other in subject.others)
        expected = subject.module(x, *others)
        y = compiled(x, *others)
        _same(y.detach(), expected.detach(), "torch.compile")
        if expected.requires_grad and expected.grad_fn is not None:
            (slope,) = torch.autograd.grad(y.sum(), x)
            _same(slope, torch.autograd.grad(expected.sum(), x)[0], "torch.compile's gradient")


def _export(subject: Subject) -> None:
    if subject.x.is_sparse:
        return
    program = torch.export.export(subject.module, (subject.x, *subject.others), strict=False)
    _same(program.module()(subject.x, *subject.others), subject(subject.x), "torch.export")


def _vmap(subject: Subject) -> None:
    if not subject.elementwise:
        return
    x = torch.stack([subject.x, subject.x + 0.1])
    expected = torch.stack([subject(x[0]), subject(x[1])])
    _same(torch.func.vmap(subject.module)(x), expected, "vmap")


def _derivatives(subject: Subject) -> None:
    if not subject.elementwise:
        return
    x = torch.linspace(-1.3, 1.7, 24).view(1, 4, 1, 6)
    points = x.clone().requires_grad_()
    y = subject(points)
    if not y.requires_grad or y.grad_fn is None:
        return
    (slope,) = torch.autograd.grad(y.sum(), points, allow_unused=True)
    slope = torch.zeros_like(x) if slope is None else slope
    module = subject.module
    tangent = torch.func.jvp(module, (x,), (torch.ones_like(x),))[1]
    _same(tangent.detach(), slope, "jvp")
    jacobian = torch.func.jacrev(lambda values: module(values).flatten())(x).view(24, 24)
    _same(jacobian.detach(), torch.diag(slope.flatten()), "jacrev")


#: The checks by name; a definition that can't pass one states it in ``limits`` under this name.
CHECKS: dict[str, Callable[[Subject], None]] = {
    "shapes": _shapes,
    "memory formats": _memory,
    "integers": _integers,
    "complex": _complex,
    "input unchanged": _input_stays,
    "types": _half_types,
    "autocast": _autocast,
    "meta": _meta,
    "copies": _copies,
    "state_dict": _state_dict,
    "repr": _repr,
    "parameter gradients": _parameter_gradients,
    "vmap": _vmap,
    "jvp and jacrev": _derivatives,
    "compile": _compile,
    "export": _export,
}
