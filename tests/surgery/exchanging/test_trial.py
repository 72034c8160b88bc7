"""What a trial tells before anything is swapped."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.example import Example, ExampleError
from lightning_acts.surgery.exchanging.trial import try_out
from lightning_acts.surgery.finding.sites import locate

X = torch.randn(16, 4)


class Checked(nn.Module):
    """A model that insists on work in place."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        if self.act(x) is not x:
            raise RuntimeError("copied")
        return x


def test_a_model_that_does_not_run_with_modules_there_is_refused() -> None:
    model = Checked()
    with pytest.raises(acts.SwapError, match="as soon as the model's own activations are modules.*copied") as caught:
        acts.swap(model, {"relu": "mish"}, example_input=X)
    assert not isinstance(caught.value, ExampleError)  # the model itself does run
    assert type(model.act) is nn.ReLU
    model(X)


class Skip(nn.Module):
    """A model that reads on a skip what its activation may have written there."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        return self.act(x) + x + F.elu(x)


@pytest.mark.parametrize("inplace", [False, True])
def test_what_is_written_where_others_read_is_told(inplace: bool) -> None:
    model = Skip(inplace)
    before, example = model(X), Example(model, X)
    failures, notes = try_out(example, locate(model, example).located)
    assert not failures
    assert [note.partition(":")[0] for note in notes] == (
        ["the model relies on activations that work in place (act)"] if inplace else []
    )
    assert torch.equal(model(X), before)
