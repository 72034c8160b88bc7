"""Wrappers around models: what torch.compile, averaging, parallel training and Fabric put around one."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel

# Names by which torch.compile, FSDP and activation checkpointing hold what they wrap.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


def plain_path(path: str) -> str:
    """Return a module's name without the prefixes of wrappers."""
    return ".".join(part for part in path.split(".") if part not in _WRAPPERS)


def wrappers_of(model: nn.Module) -> list[nn.Module]:
    """Return a model with what it wraps, from the outside to the inside: compiled, averaged, parallel, set up by Fabric."""
    chain = [model]
    while True:
        children, names = chain[-1]._modules, list(_WRAPPERS)
        if isinstance(chain[-1], (AveragedModel, nn.DataParallel, nn.parallel.DistributedDataParallel)):
            names.append("module")
        if type(chain[-1]).__name__ == "_FabricModule":
            names.append("_forward_module")
        inner = next((children[name] for name in names if children.get(name) is not None), None)
        if inner is None:
            return chain
        chain.append(inner)
