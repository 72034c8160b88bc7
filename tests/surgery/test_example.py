import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.example import as_it_was


class Codebook(nn.Module):
    """A frozen embedding that forwards in train mode move, as those of vector quantizers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 4)
        self.embedding.weight.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.embedding.weight.data.mul_(0.9).add_(0.1 * x.mean(0))
        return self.embedding((x @ self.embedding.weight.T).argmax(1))


def test_a_codebook_that_a_forward_moves_stays_as_it_was() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), Codebook()), torch.randn(5, 4)
    weight = model[2].embedding.weight
    before = weight.clone()
    model.train()(x)
    assert not torch.equal(weight, before)
    before = weight.clone()
    acts.find(model, x)
    acts.swap(model, {"relu": "tanh"}, example_input=x)
    acts.verify(model, x)
    acts.restore(model)
    assert model[2].embedding.weight is weight
    assert torch.equal(weight, before)


def test_a_block_that_fails_leaves_frozen_parameters_as_they_were() -> None:
    model = nn.Linear(2, 2).requires_grad_(False)
    before = model.weight.clone()
    try:
        with as_it_was(model):
            model.weight.fill_(3)
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(model.weight, before)
