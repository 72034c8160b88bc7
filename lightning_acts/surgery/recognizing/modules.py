"""What a module computes: by its exact type first, by its curve where the type tells nothing."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts import factory, registry
from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.module import FunctionActivation
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.blend import Blend
from lightning_acts.surgery.ledger import is_swapped_within
from lightning_acts.surgery.naming import describe
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION

# More than any activation has: a layer with a bias or a scale a channel is no activation, and probing costs time.
_MAX_PARAMETERS = 4096
# float32 constants inside a module evaluated in float64 show up at 1e-8; gelu and its tanh form differ by 5e-4.
_TOLERANCE = 1e-6


def recognize(module: nn.Module) -> str | None:
    """Return the spec of the activation that ``module`` computes, ``"unknown activation"``, or None if it is none.

    A module on the meta device whose type is not registered, but which could be an activation, is unknown. One that is
    made of other modules is an activation if it computes one that none of them is, such as hard swish by ReLU6; not where
    a swap has put one of them there, which is a site of its own.
    """
    if isinstance(module, Blend):
        return UNKNOWN_ACTIVATION if module.present is None else recognize(module.present)
    spec = factory.spec_of(module)
    if spec is not None:
        definition = factory.definition_of(spec.name)
        return None if definition.kind == "transfer" or definition.name == "identity" else str(spec)
    if isinstance(module, FunctionActivation):
        return UNKNOWN_ACTIVATION
    if isinstance(module, torch.jit.ScriptModule):
        return None
    if next(module.children(), None) is not None:
        return _composed(module)
    if not _could_be_activation(module):
        return None
    if any(parameter.is_meta for parameter in module.parameters()):
        return UNKNOWN_ACTIVATION
    return _by_curve(module)


def blend_in_words(module: nn.Module) -> str | None:
    """Return which two activations a blend holds and how far it is; None for one that is over, and other modules."""
    if not isinstance(module, Blend) or module.amount == 1.0:
        return None
    old: nn.Module = module.old
    while isinstance(old, Blend) and old.amount == 1.0:
        old = old.new
    return f"blend of {blend_in_words(old) or describe(old)} and {describe(module.new)}, {module.amount:.0%} taken over"


# More are in no activation that is made of others.
_MOST_PARTS = 8


def _composed(module: nn.Module) -> str | None:
    if not _could_be_activation(module) or next(module.parameters(), None) is not None or is_swapped_within(module):
        return None
    parts = list(itertools.islice(module.modules(), 1, _MOST_PARTS + 1))
    if len(parts) == _MOST_PARTS or any(isinstance(part, torch.jit.ScriptModule) for part in parts):
        return None
    spec = _by_curve(module)
    return None if spec == UNKNOWN_ACTIVATION or spec in _curves_of(parts) else spec


def _curves_of(parts: Sequence[nn.Module]) -> set[str | None]:
    """Return the activations that some modules compute, in the words of :func:`_by_curve`."""
    return {_by_curve(part) for part in parts if type(part).forward is not nn.Module.forward}


def _could_be_activation(module: nn.Module) -> bool:
    if type(module).__module__.startswith("torch.nn."):
        return False
    if next(module.buffers(), None) is not None or type(module).forward is nn.Module.forward:
        return False
    inputs = list(inspect.signature(module.forward).parameters.values())[1:]
    if any(entry.default in (None, entry.empty) for entry in inputs):
        return False  # a second input, as that of a residual connection: an activation takes one
    parameters = list(module.parameters())
    if any(isinstance(parameter, nn.parameter.UninitializedParameter) for parameter in parameters):
        return False
    return sum(parameter.numel() for parameter in parameters) <= _MAX_PARAMETERS


def _by_curve(module: nn.Module) -> str | None:
    try:
        probe = copy.deepcopy(module).to("cpu", torch.float64).requires_grad_(False)
    except Exception:  # a module that can't be copied can't be probed without risk to the model
        return None
    for part in probe.modules():
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    curve = _steady_curve(probe)
    if next(module.parameters(), None) is not None:
        # A learnable activation and a fixed one are different, whatever the curve.
        otherwise = None if curve is None else UNKNOWN_ACTIVATION
        if curve is None and _alike_in_channels(probe):
            curve = _steady_curve(probe)
        return otherwise if _periodic(probe, curve, _TOLERANCE, _TOLERANCE, ["snake"]) is None else "snake"
    return None if curve is None else _named(probe, curve, _TOLERANCE, _TOLERANCE) or UNKNOWN_ACTIVATION


def _steady_curve(probe: nn.Module) -> Tensor | None:
    """Return the curve of a module, the same in both modes and not a line; None where there is none."""
    trained, curve = _curve(probe.train()), _curve(probe.eval())
    if trained is None or curve is None or not _equal(trained, curve):
        return None  # not elementwise, or random: Dropout, DropPath and their kin
    return None if _is_affine(curve) else curve  # an identity, a scale, a shift


def recognize_function(function: Callable[[Tensor], Any], relative: float, absolute: float) -> str | None:
    """Return the spec of the activation that a function of one tensor computes without chance, within tolerances.

    None if unknown.
    """
    curve = _curve(function)
    spec = None if curve is None or _is_affine(curve) else _named(function, curve, relative, absolute)
    if spec is None:
        return None
    # Farther out a bound may lie that keeps a logarithm from infinity.
    far = torch.tensor([-80.0, -40.0, 40.0, 80.0], dtype=torch.float64)
    try:
        same = _close(_function_of(ActivationSpec.parse(spec))(far), function(far.clone()), 1e-6, 1e-12)
    except Exception:
        return None
    return spec if same.all() else None


def _named(function: Callable[[Tensor], Any], curve: Tensor, relative: float, absolute: float) -> str | None:
    specs, known = _known_curves(registry.version())
    (matching,) = _close(known, curve, relative, absolute).all(1).nonzero(as_tuple=True)
    if len(matching):
        return str(specs[int(matching[0])])
    return _fitted(curve, relative, absolute) or _periodic(function, curve, relative, absolute)


def _close(one: Tensor, other: Tensor, relative: float, absolute: float) -> Tensor:
    return torch.isclose(one, other, rtol=relative, atol=absolute, equal_nan=True)


def _fitted(curve: Tensor, relative: float, absolute: float) -> str | None:
    """Return the spec of a family whose one parameter a point of the curve tells, if the whole curve agrees."""
    x, lowest, middle = -10.0, float(curve[0]), float(curve[curve.numel() // 2])
    positive = _grid() > 0
    is_linear_above = bool(_close(curve[positive], _grid()[positive], relative, absolute).all())
    estimates: dict[str, tuple[str, Callable[[], float]]] = {
        "leaky_relu": ("negative_slope", lambda: lowest / x),
        "elu": ("alpha", lambda: lowest / math.expm1(x)),
        "softplus": ("beta", lambda: math.log(2) / middle),
        "celu": ("alpha", lambda: _alpha_of_celu(x, lowest)),
    }
    for name, (parameter, estimate) in estimates.items():
        if is_linear_above is (name == "softplus"):
            continue
        if (spec := _spec_if_it_fits(name, parameter, estimate, curve, relative, absolute)) is not None:
            return spec
    return None


def _function_of(spec: ActivationSpec) -> Callable[[Tensor], Any]:
    """Return the function of an activation: a module has rounded its learnable parameters to float32."""
    return functools.partial(factory.definition_of(spec.name).functions[0], **spec.parameters)


def _spec_if_it_fits(
    name: str, parameter: str, estimate: Callable[[], float], curve: Tensor, relative: float, absolute: float
) -> str | None:
    for digits in (8, 15):
        try:
            spec = ActivationSpec(name, {parameter: float(f"{estimate():.{digits}g}")})
            factory.create(spec)
        except (ArithmeticError, ValueError):  # no value, or none that is allowed
            return None
        fitted = _curve(_function_of(spec))
        if fitted is not None and _close(fitted, curve, relative, absolute).all():
            return str(spec)
    return None


# So near to 0 that a period is longer for any frequency in use.
_NEAR = 1e-3


def _periodic(
    function: Callable[[Tensor], Any],
    curve: Tensor | None,
    relative: float,
    absolute: float,
    names: Sequence[str] = ("sine", "snake"),
) -> str | None:
    """Return the spec of a sine or a snake of any frequency, which its values near 0 tell."""
    if curve is None:
        return None
    # Near numbers differ less than wide ones, and a function of many may take another shape than a curve's.
    x = torch.full((1, 1, 1, _grid().numel()), _NEAR, dtype=torch.float64)
    with torch.no_grad():
        near = float(function(x).flatten()[0])
    estimates: dict[str, tuple[str, Callable[[], float]]] = {
        "sine": ("omega", lambda: math.asin(near) / _NEAR),
        "snake": ("alpha", lambda: _alpha_of_snake(near - _NEAR)),
    }
    found = (_spec_if_it_fits(name, *estimates[name], curve, relative, absolute) for name in names)
    return next((spec for spec in found if spec is not None), None)


def _alpha_of_snake(rise: float) -> float:
    """Return the alpha of ``sin(alpha * x)**2 / alpha`` that is ``rise`` near 0."""
    alpha = rise / _NEAR**2
    for _ in range(60):  # each step halves the error
        alpha = math.asin(math.sqrt(alpha * rise)) / _NEAR
    return alpha


def _alike_in_channels(probe: nn.Module) -> bool:
    """Give each channel the parameters of the first; return False where they are not one number a channel."""
    parameters = list(probe.parameters())
    if any(sum(size > 1 for size in parameter.shape) > 1 for parameter in parameters):
        return False
    for parameter in parameters:
        parameter.data = parameter.data.flatten()[:1].view([1] * parameter.dim())
    return True


def _alpha_of_celu(x: float, value: float) -> float:
    from scipy.optimize import brentq  # late: it takes long to load, and few models need it

    return float(brentq(lambda alpha: alpha * math.expm1(x / alpha) - value, 1e-2, 1e4))


def _grid() -> Tensor:
    # Uneven, so that no periodic function looks like a line on it; both sides of the kinks at 0, +-1, +-3 and 6.
    steps = torch.linspace(-1.0, 1.0, 59, dtype=torch.float64)
    return 9.0 * steps + steps**3


def _curve(probe: Callable[[Tensor], Any]) -> Tensor | None:
    """Return the values of an elementwise, deterministic function on the grid; None for any other."""
    grid = _grid()
    part = grid[: grid.numel() // 2].flip(0)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            # (N, C, H, W), twice, with other neighbors: an elementwise function doesn't see them.
            whole, partial = (probe(values.clone().view(1, 1, 1, -1)) for values in (grid, part))
    except Exception:  # it takes other inputs: not an activation that could stand for another
        return None
    for output, values in ((whole, grid), (partial, part)):
        if (
            not isinstance(output, Tensor)
            or output.shape != (1, 1, 1, values.numel())
            or not output.is_floating_point()
        ):
            return None
    curve = whole.flatten().double()
    index = torch.arange(2 * 3 * 5 * 7) % grid.numel()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            block = probe(grid[index].view(2, 3, 5, 7))  # several channels: a gate that pools over them shows here
    except Exception:
        block = None
    if block is not None and (block.shape != (2, 3, 5, 7) or not _equal(block.flatten().double(), curve[index])):
        return None
    return curve if _equal(partial.flatten().double().flip(0), curve[: part.numel()]) else None


def _equal(one: Tensor, other: Tensor) -> bool:
    # Vector instructions round differently at the end of a row.
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True)


def _is_affine(curve: Tensor) -> bool:
    grid = _grid()
    slope = (curve[-1] - curve[0]) / (grid[-1] - grid[0])
    return bool(torch.allclose(curve, curve[0] + slope * (grid - grid[0]), rtol=_TOLERANCE, atol=_TOLERANCE))


@functools.lru_cache(maxsize=1)
def _known_curves(version: int) -> tuple[list[ActivationSpec], Tensor]:
    """Return the curves of the registered activations; ``version`` is the key under which they are kept."""
    specs, curves = [], []
    # Of several activations with one curve, the one that is torch's own.
    for definition in sorted(registry.definitions(), key=lambda entry: entry.module_class is None):
        for spec in _fixed_specs(definition):
            curve = _curve(factory.create(spec).double().eval())
            if curve is not None:
                specs.append(spec)
                curves.append(curve)
    return specs, torch.stack(curves)


def _fixed_specs(definition: Definition) -> list[ActivationSpec]:
    needs_parameters = any(parameter.default is REQUIRED for parameter in definition.parameters)
    if (
        definition.kind != "elementwise"
        or definition.learnable
        or definition.stochastic
        or definition.name == "identity"
        or needs_parameters
    ):
        return []
    return [
        ActivationSpec(definition.name),
        *(ActivationSpec(definition.name, pinned) for pinned in definition.variants.values()),
    ]
