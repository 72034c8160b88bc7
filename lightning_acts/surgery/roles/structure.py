"""What an activation is there for: inside the network, as a gate, in an attention, or at the output.

Decided from the data flow where a pass was traced, else from what the model's structure shows. When in doubt the role
is one that a swap leaves alone, and the reason says so.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import nn

from lightning_acts import factory
from lightning_acts.definition import Definition
from lightning_acts.measuring import is_bounded, is_gate_like
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION, Role

Chain = Sequence[tuple[nn.Module, str | None]]

# Attribute names by which authors call the activation between two layers.
_HIDDEN_NAMES = ("act", "activation", "nonlin", "non_lin")
# ... and the positive one that weighs experts or tokens.
_WEIGHING_NAMES = ("score", "scoring", "gate", "gating", "router")
# Parts of class names whose bounded activations multiply something.
_GATING_CLASSES = ("squeeze", "excit", "attention", "attn", "gate", "gating", "ecalayer", "cbam")


def role_of(
    activation: str,
    chain: Chain,
    flow: tuple[Role | None, str] | None = None,
    feeds_layers: bool = False,
) -> tuple[Role, str]:
    """Return the role of a site, and why: what the data flow says, else what the structure shows.

    Args:
        activation: Its spec, or ``"unknown activation"``.
        chain: From the model down to the site: each parent with the name of the child that leads on. That of a call
            ends with its module and None, if the forward returns its result; of any other call it is empty.
        flow: What :meth:`Flow.role_of` says; None where no pass was traced.
        feeds_layers: Whether the result of a call is seen to go into layers alone.
    """
    role, reason = _by_structure(activation, chain, feeds_layers)
    if flow is None or (role == "output" and _is_in_pooler(chain)):
        return role, reason  # a pooler ends an encoder, whatever head is put on top of it
    if flow[0] is None:
        return role, f"{reason}; the data flow leaves it open: {flow[1]}"
    return flow[0], flow[1]


def _by_structure(activation: str, chain: Chain, feeds_layers: bool) -> tuple[Role, str]:
    if activation == UNKNOWN_ACTIVATION:
        return "hidden", "no other role is known"
    definition = factory.definition_of(activation)
    last = _ends(chain) if chain else None
    if definition.kind == "gated":
        return "gate", "one half of its input gates the other"
    if definition.kind == "normalizing":
        if last is None:
            return "attention", "in doubt: normalizes within the model"
        return "output", f"normalizes, {last.reason}" if last.is_certain else last.reason
    is_softplus = definition.family == "softplus"
    if is_softplus and last:
        return "output", last.reason
    if is_softplus and chain and (chain[-1][1] or "").lower().startswith(_WEIGHING_NAMES):
        return "gate", f"in doubt: positive, named {chain[-1][1]!r} in a {type(chain[-1][0]).__name__}"
    if not is_bounded(definition) and not (is_softplus and not chain):
        return "hidden", "unbounded"
    if last:
        return "output", last.reason
    if _is_in_pooler(chain):
        return "output", f"bounded, in a {type(chain[-1][0]).__name__}"
    if not chain:
        return _of_call(definition, feeds_layers)
    if not is_gate_like(definition):
        return "hidden", "neither in [0, 1] nor last"
    return _gate_or_hidden(chain, *chain[-1])


def _of_call(definition: Definition, feeds_layers: bool) -> tuple[Role, str]:
    """Return the role of a call whose values are of a kind that also serves at the end, or as a part of something else."""
    if feeds_layers:
        return "hidden", "goes into a layer"
    if is_gate_like(definition):
        return "gate", "in doubt: values in [0, 1], within a forward"
    values = "bounded" if is_bounded(definition) else "positive"
    return "output", f"in doubt: {values}, and only a run (example_input=) shows what becomes of it"


def _is_in_pooler(chain: Chain) -> bool:
    return bool(chain) and "pooler" in type(chain[-1][0]).__name__.lower()


def _gate_or_hidden(chain: Chain, parent: nn.Module, name: str | None) -> tuple[Role, str]:
    for container, child in reversed(chain):
        if not isinstance(container, nn.Sequential):
            break
        if _has_parameters_after(container, child):
            return "hidden", "followed by a layer in a Sequential"
    kind = type(parent).__name__
    if any(part in kind.lower() for part in _GATING_CLASSES):
        return "gate", f"values in [0, 1], in a {kind}"
    if name is None:
        return "gate", f"in doubt: values in [0, 1], returned by a {kind}"
    if name.lower().startswith(_HIDDEN_NAMES):
        return "hidden", f"named {name!r} in a {kind}"
    return "gate", f"in doubt: values in [0, 1], named {name!r} in a {kind}"


class _End(NamedTuple):
    """The end of a model or of one of its networks, in words."""

    reason: str
    is_certain: bool = True


def _ends(chain: Chain) -> _End | None:
    """Return what a site is the last module of; None if something with parameters comes after it."""
    for depth in range(len(chain) - 1, -1, -1):
        parent, name = chain[depth]
        if not _has_parameters_after(parent, name):
            continue
        ended = parent._modules[name or ""]
        # A LightningModule of a generator and a discriminator has two networks, each with an output of its own.
        if depth == 0 and depth < len(chain) - 1 and _is_network_of_its_own(parent, ended):
            return _End(f"in doubt: last of {name!r}, and the model goes on behind it", is_certain=False)
        return None
    return _End("last of the model")


def _is_network_of_its_own(root: nn.Module, network: nn.Module | None) -> bool:
    if any(isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict, type(None))) for module in (root, network)):
        return False
    return sum(type(sibling) is type(network) for sibling in root.children()) == 1


def _has_parameters_after(parent: nn.Module, name: str | None) -> bool:
    if name is None:
        return False
    names = list(parent._modules)
    following = (parent._modules[after] for after in names[names.index(name) + 1 :])
    return any(_is_layer(module) for module in following if module is not None)


def _is_layer(module: nn.Module) -> bool:
    return has_parameters(module) and not is_metric(module)


def has_parameters(module: nn.Module) -> bool:
    """Check whether a module, or one below it, has a parameter: sooner told than by ``parameters()``."""
    if any(parameter is not None for parameter in module._parameters.values()):
        return True
    return any(has_parameters(child) for child in module._modules.values() if child is not None)


def is_metric(module: nn.Module) -> bool:
    """Check whether a module is a torchmetrics metric, or a collection of them: its parts are not the model's."""
    cls: Any = type(module)  # mypy takes a class of modules for not hashable
    return _is_class_of_metrics(cls)


@functools.lru_cache(maxsize=4096)
def _is_class_of_metrics(cls: Any) -> bool:
    return any(base.__module__.startswith("torchmetrics.") for base in cls.__mro__)


def chain_to(model: nn.Module, path: str) -> list[tuple[nn.Module, str]]:
    """From ``model`` down to the module at ``path``: each parent with the name of the child that leads on."""
    return list(_steps(model, path))


def _steps(model: nn.Module, path: str) -> Iterator[tuple[nn.Module, str]]:
    current: nn.Module = model
    for name in path.split("."):
        yield current, name
        current = current.get_submodule(name)
