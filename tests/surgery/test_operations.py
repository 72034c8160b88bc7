"""What the table says of torch's operations, against torch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lightning_acts.surgery.operations import JOINS, LAYERS, LOSSES, MATRIX, PART, SAME, UNARY, operation, shares_memory


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.mul, "mul"), (Tensor.mul_, "mul"), (Tensor.__rmul__, "mul"), (torch.true_divide, "div"),
        (Tensor.__rtruediv__, "div"), (Tensor.__rsub__, "sub"), (torch.subtract, "sub"), ("relu_", "relu"),
        ("add.Tensor", "add"), (torch.rsqrt, "rsqrt"), (torch.special.erfc, "erfc"), (torch.index_select, "index_select"),
    ],
)  # fmt: skip
def test_one_name_for_all_forms(function: Callable[..., Tensor] | str, name: str) -> None:
    assert operation(function) == name


X = torch.arange(24.0).view(2, 3, 4)
CALLS = {
    "view": (6, 4), "reshape": (6, 4), "flatten": (), "permute": (2, 0, 1), "transpose": (0, 1), "swapaxes": (0, 1),
    "movedim": (0, 1), "squeeze": (), "unsqueeze": (0,), "narrow": (2, 0, 2), "select": (0, 1), "detach": (),
    "expand_as": (X,), "broadcast_to": (2, 2, 3, 4), "requires_grad_": (), "nan_to_num": (), "rot90": (), "float": (), "unfold": (2, 2, 1), "contiguous": (), "clone": (), "flip": (0,), "roll": (1,),
    "tile": (2,), "repeat": (1, 1, 1), "cumsum": (0,), "relu": (), "exp": (), "mean": (), "relu_": (),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_what_shares_memory(name: str) -> None:
    x = X.clone()
    result = getattr(x, name)(*CALLS[name])
    assert shares_memory(name) == (result.untyped_storage().data_ptr() == x.untyped_storage().data_ptr())


@pytest.mark.parametrize("name", [name for name in CALLS if name in SAME])
def test_the_same_values(name: str) -> None:
    assert getattr(X.clone(), name)(*CALLS[name]).unique().tolist() == X.unique().tolist()


def test_no_operation_is_two_things() -> None:
    groups = {"same": SAME, "part": PART, "unary": UNARY, "matrix": MATRIX, "joins": JOINS}
    for one, names in groups.items():
        for other, more in groups.items():
            assert one == other or not names & more, (one, other)
    for names in groups.values():
        assert not [name for name in names if LAYERS.fullmatch(name) or LOSSES.fullmatch(name)]
