"""One training step of an activation, and what it keeps: for comparisons of backends."""

import torch
from torch import Tensor, nn

import lightning_acts as acts

ELEMENTWISE = [name for name in acts.names(kind="elementwise") if acts.info(name).family != "user"]
NEEDED = {"threshold": {"threshold": 0.1, "value": -0.2}}
# One of each: torch's own with a kernel, without parameters, one a layer, one a channel, several, several a channel, constant.
SAMPLE = ["mish", "penalized_tanh", "tanh_soft", "srelu", "variable_af", "apl", "abs"]


def created(name: str, backend: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    module = acts.create(name, backend=backend, **NEEDED.get(name, {})).to(dtype)  # type: ignore[arg-type]
    module(torch.zeros(2, 3, 3, dtype=dtype))  # sizes the lazy ones
    return module


def step(module: nn.Module, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """The output, and the gradients for the input and the parameters."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = module(x)
    grads = torch.autograd.grad(y, [x, *module.parameters()], gradient, allow_unused=True, materialize_grads=True)
    return [y, *grads]


def kept(module: nn.Module, x: Tensor) -> float:
    """How many tensors of the input's size the backward keeps."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()

    x = x.detach().clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(x)
    return sum(sizes.values()) / x.untyped_storage().nbytes()


def sample(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 3
