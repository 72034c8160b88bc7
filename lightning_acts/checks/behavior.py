"""Good behavior of an activation: all the ways in which torch uses a module, and every shape and type of input."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts import factory, registry
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
            module(self.x.clone(), *self.others)  # it may change its input, which a check finds
        return module

    @property
    def elementwise(self) -> bool:
        """Whether any shape will do."""
        return self.definition.kind == "elementwise"

    def __call__(self, x: Tensor) -> Tensor:  # noqa: D102 - what the module does
        result: Tensor = self.module(x, *self.others)
        return result


def check_behavior(
    definition: Definition,
    parameters: Mapping[str, Any] | None = None,
    checks: Mapping[str, Callable[[Subject], None]] | None = None,
) -> list[Defect]:
    """Run checks on one activation; what fails, in words.

    Args:
        definition: The activation.
        parameters: Values for its parameters: those without a default need one.
        checks: The checks; those of this module by default.

    Raises:
        SpecError: A parameter is missing or wrong.
    """
    subject = Subject(definition, parameters or {})
    defects = []
    for name, check in (CHECKS if checks is None else checks).items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(subject)
        except Exception as error:
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            defects.append(Defect(name, reason[:300]))
    return defects


def assert_same(one: Tensor, other: Tensor, what: str, *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Compare two results, shape and type too.

    Raises:
        AssertionError: They differ.
    """
    if one.shape != other.shape or one.dtype != other.dtype:
        raise AssertionError(f"{what}: {tuple(one.shape)} {one.dtype} against {tuple(other.shape)} {other.dtype}")
    if not torch.allclose(one.to_dense(), other.to_dense(), rtol=rtol, atol=atol, equal_nan=True):
        raise AssertionError(f"{what}: {_worst(one.to_dense(), other.to_dense())}")


def _worst(one: Tensor, other: Tensor) -> str:
    return f"off by {(one.double() - other.double()).abs().max().item():.3g}"


def _shapes(subject: Subject) -> None:
    if not subject.elementwise:
        return
    if not any(parameter.dim() for parameter in subject.module.parameters()):
        for shape in ((), (1,), (0,), (3, 0, 2)):
            x = torch.full(shape, 0.3)
            y = subject(x)
            if y.shape != x.shape:
                raise AssertionError(f"the shape {shape} becomes {tuple(y.shape)}")
            assert_same(y, torch.full_like(y, float(subject(torch.tensor(0.3)))), f"the shape {shape}")
    empty = subject(subject.x[:0])
    if empty.shape != subject.x[:0].shape:
        raise AssertionError(f"an empty batch becomes {tuple(empty.shape)}")


def _memory(subject: Subject) -> None:
    if subject.x.is_sparse:
        return  # it has one layout only
    expected = subject(subject.x)
    strided = torch.stack([subject.x, subject.x], -1)[..., 0]
    assert_same(subject(strided), expected, "non-contiguous input")
    last = subject.x.to(memory_format=torch.channels_last)
    y = subject(last)
    assert_same(y, expected, "channels_last input")
    if subject.elementwise and not y.is_contiguous(memory_format=torch.channels_last):
        raise AssertionError("channels_last input is not channels_last after it")


def _integers(subject: Subject) -> None:
    if subject.definition.module_class is not None or subject.x.is_sparse:
        return
    x = torch.arange(288).view(2, 4, 6, 6) % 7 - 3
    assert_same(subject(x), subject(x.to(torch.get_default_dtype())), "integer input")


def _complex(subject: Subject) -> None:
    if _is_torchs(subject.definition):
        return
    x = subject.x.to(torch.complex64) if not subject.x.is_sparse else torch.ones(2, 2, dtype=torch.complex64)
    try:
        subject(x)
    except (TypeError, ValueError):
        return
    except RuntimeError:
        if subject.definition.module_class is not None:  # torch's own words: its weights are real
            return
        raise
    raise AssertionError("complex input is taken without a word")


def _is_torchs(definition: Definition) -> bool:
    return definition.module_class is not None and definition.target.__module__.startswith("torch.")


def _input_stays(subject: Subject) -> None:
    before = subject.x.clone()
    for mode in (True, False):
        subject.fresh().train(mode)(subject.x, *subject.others)
    if not torch.equal(before.to_dense(), subject.x.to_dense()):
        raise AssertionError("changes its input")


def _in_place(subject: Subject) -> None:
    if not any(entry.name == "inplace" for entry in subject.definition.parameters):
        return
    module = build(subject.definition, {**subject.given, "inplace": True}).eval()
    results = []
    for candidate in (subject.module, module):
        leaf = subject.x.clone().requires_grad_()
        inner = 1.0 * leaf
        y = candidate(inner)
        if (y.data_ptr() == inner.data_ptr()) != (candidate is module):
            raise AssertionError("only with inplace=True is the input changed")
        (slope,) = torch.autograd.grad((y * y.detach()).sum(), leaf)
        results.append((y.detach(), slope))
    assert_same(results[1][0], results[0][0], "inplace=True")
    assert_same(results[1][1], results[0][1], "the derivative with inplace=True")


def _half_types(subject: Subject) -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        module = subject.fresh().to(dtype)
        x = subject.x.to(dtype)
        y = module(x, *(other.to(dtype) for other in subject.others))
        if y.dtype != dtype:
            raise AssertionError(f"{dtype} becomes {y.dtype}")
        if dtype != torch.float64 and isinstance(module, FunctionActivation):
            y, expected = y.to_dense(), module.float()(x.float()).to(dtype).to_dense()
            if not torch.equal(y.nan_to_num(nan=0.5), expected.nan_to_num(nan=0.5)):
                raise AssertionError(f"{dtype} is not computed in float32, as torch does: {_worst(y, expected)}")


def _autocast(subject: Subject) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        y = subject(subject.x)
    expected = subject(subject.x)
    if y.dtype not in (torch.float32, torch.bfloat16):
        raise AssertionError(f"{y.dtype} under autocast")
    y, expected = y.float().to_dense(), expected.to_dense()
    if not torch.allclose(y, expected, rtol=0.02, atol=0.02, equal_nan=True):
        raise AssertionError(f"under autocast {_worst(y, expected)}")


def _meta(subject: Subject) -> None:
    y = copy.deepcopy(subject.module).to("meta")(subject.x.to("meta"), *(other.to("meta") for other in subject.others))
    if y.shape != subject(subject.x).shape or not y.is_meta:
        raise AssertionError(f"on the meta device the result is {tuple(y.shape)} on {y.device}")


def _copies(subject: Subject) -> None:
    expected = subject(subject.x)
    # Before its first input, too.
    for module in (subject.module, build(subject.definition, subject.given).eval()):
        copies = {"deepcopy": copy.deepcopy(module)}
        if _can_be_found(subject):
            copies["pickle"] = pickle.loads(pickle.dumps(module))
        for what, copied in copies.items():
            with torch.no_grad():
                copied(subject.x, *subject.others)
            copied.load_state_dict(subject.module.state_dict())
            assert_same(copied(subject.x, *subject.others), expected, what)


def _can_be_found(subject: Subject) -> bool:
    """Check whether another process finds it: by its name in the registry, or by where its function or class stands."""
    target = subject.definition.target
    importable = inspect.getmodule(target) is not None and "<" not in getattr(target, "__qualname__", "<")
    return importable or factory.spec_of(subject.module) is not None


def _state_dict(subject: Subject) -> None:
    source = subject.fresh()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.01)
    buffer = io.BytesIO()
    torch.save(source.state_dict(), buffer)
    # Into one that has not seen an input, too.
    for target in (subject.fresh(), build(subject.definition, subject.given).eval()):
        buffer.seek(0)
        target.load_state_dict(torch.load(buffer, weights_only=True))
        expected = source(subject.x, *subject.others)
        assert_same(target(subject.x, *subject.others), expected, "after load_state_dict")


def _repr(subject: Subject) -> None:
    spec = factory.spec_of(subject.module)
    if spec is None:
        return  # it is not registered, or a class that does not keep its parameters under their names
    if isinstance(subject.module, FunctionActivation) and repr(subject.module) != str(spec):
        raise AssertionError(f"its repr is {subject.module!r}, its spec {spec}")
    again = factory.create(str(spec)).eval()
    again.load_state_dict(subject.module.state_dict())
    assert_same(again(subject.x, *subject.others), subject(subject.x), f"the activation of its repr {spec}")


def _parameter_gradients(subject: Subject) -> None:
    module = subject.fresh().double()
    parameters = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    if not parameters:
        return
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # away from initial values, which are often round
        for parameter in parameters.values():
            parameter.add_(0.05 * torch.rand(parameter.shape, generator=generator, dtype=torch.float64))
    inputs = tuple(x.double() for x in (subject.x, *subject.others))
    module(*inputs).square().sum().backward()
    missing = [name for name, parameter in parameters.items() if parameter.grad is None]
    if missing:
        raise AssertionError(f"no gradient reaches {', '.join(missing)}")

    def of_parameters(*values: Tensor) -> Tensor:
        named = dict(zip(parameters, values, strict=True))
        result: Tensor = torch.func.functional_call(module, named, inputs)
        return result

    torch.autograd.gradcheck(of_parameters, tuple(parameters.values()), fast_mode=True)


def _channels(subject: Subject) -> None:
    """Check that a layer with parameters per channel does to each channel what one with a single set of them does."""
    markers = {entry.name: entry.learnable for entry in subject.definition.parameters if entry.learnable}
    if not markers or subject.definition.kind != "elementwise":
        return
    dim = next((marker.dim for marker in markers.values() if marker.per == "channel"), 1)
    size = subject.x.shape[dim]
    given = {key: value for key, value in subject.given.items() if key not in ("per", "num_parameters")}
    every = build(subject.definition, {**given, "per": "channel", "num_parameters": size}).eval()
    one = build(subject.definition, {**given, "per": "layer"}).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in every.parameters():
            parameter.add_(0.1 * torch.rand(parameter.shape, generator=generator))
        y = every(subject.x)
        for channel in range(size):
            one.load_state_dict({name: value[..., channel] for name, value in every.state_dict().items()})
            assert_same(y.select(dim, channel), one(subject.x.select(dim, channel)), f"channel {channel}")
        with_more = torch.cat([subject.x, subject.x], dim)
        for wrong in (with_more, torch.tensor(0.5)):
            try:
                every(wrong)
            except ValueError:
                continue
            raise AssertionError(f"{size} channels take an input of the shape {tuple(wrong.shape)} without a word")


def _compile(subject: Subject) -> None:
    # Every backend is given the same graph. AOT's takes five times as long: here it differentiates one of each family, and
    # in the sweep, by Inductor, all of them.
    family = (one for one in registry.definitions() if one.family == subject.definition.family != "user")
    is_first = next(family, subject.definition).name == subject.definition.name
    check_compiled(subject, "aot_eager" if is_first else "eager")


def check_compiled(subject: Subject, backend: str) -> None:
    """Compile it as one graph, for batches of any size, and compare its values and derivatives.

    Raises:
        AssertionError: They differ.
    """
    torch.compiler.reset()
    compiled = torch.compile(subject.module, backend=backend, fullgraph=True, dynamic=True)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for batch in (2, 3):
            x, *others = (torch.cat([x, x])[:batch].clone() for x in (subject.x, *subject.others))
            x.requires_grad_()
            expected = subject.module(x, *others)
            y = compiled(x, *others)
            assert_same(y.detach(), expected.detach(), "torch.compile")
            if expected.requires_grad and expected.grad_fn is not None:
                (slope,) = torch.autograd.grad(y.sum(), x)
                assert_same(slope, torch.autograd.grad(expected.sum(), x)[0], "torch.compile's gradient")
    if subject.definition.stochastic and backend != "inductor":
        module = subject.fresh().train()
        torch.compile(module, backend=backend, fullgraph=True, dynamic=True)(subject.x)


def _export(subject: Subject) -> None:
    inputs = (subject.x, *subject.others)
    program = torch.export.export(subject.module, inputs, dynamic_shapes=any_batch(subject), strict=False)
    more = tuple(torch.cat([x, x, x]) for x in inputs)
    assert_same(program.module()(*more), subject.module(*more), "torch.export")


def any_batch(subject: Subject) -> tuple[dict[int, Any], ...]:
    """Return the dynamic shapes under which torch exports a module for batches of any size."""
    return tuple({0: torch.export.Dim("batch")} for _ in (subject.x, *subject.others))


def _vmap(subject: Subject) -> None:
    x = torch.stack([subject.x, 1.1 * subject.x])
    expected = torch.stack([subject(x[0]), subject(x[1])])
    assert_same(torch.func.vmap(subject)(x), expected, "vmap")


def _derivatives(subject: Subject) -> None:
    # A few elements, where any shape will do: rows of the Jacobian are computed one by one.
    x = torch.linspace(-1.3, 1.7, 24).view(1, 4, 1, 6) if subject.elementwise else subject.x[:1]
    others = tuple(other[:1] for other in subject.others)

    def function(values: Tensor) -> Tensor:
        result: Tensor = subject.module(values, *others)
        return result

    expected: Tensor = torch.autograd.functional.jacobian(function, x)  # type: ignore[no-untyped-call]
    assert_same(torch.func.jacrev(function)(x), expected, "jacrev")
    tangent = torch.func.jvp(function, (x,), (x.cos(),))[1].detach()
    assert_same(tangent, (expected.flatten(tangent.dim()) @ x.cos().flatten()).view(tangent.shape), "jvp")


#: The checks by name; a definition that can't pass one states it in ``limits`` under this name.
CHECKS: dict[str, Callable[[Subject], None]] = {
    "input unchanged": _input_stays,  # the first: the others would see it changed
    "shapes": _shapes,
    "memory formats": _memory,
    "integers": _integers,
    "complex": _complex,
    "inplace": _in_place,
    "types": _half_types,
    "autocast": _autocast,
    "meta": _meta,
    "copies": _copies,
    "state_dict": _state_dict,
    "repr": _repr,
    "parameter gradients": _parameter_gradients,
    "channels": _channels,
    "vmap": _vmap,
    "jvp and jacrev": _derivatives,
    "compile": _compile,
    "export": _export,
}
