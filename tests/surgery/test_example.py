"""Running a model on an example shows what it does, and leaves it as it was."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.example import Example, after_each_call, as_it_was


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


class Modes:
    """Watcher of modes, of gradients and of random numbers."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool, float]] = []

    def look(self, forward: Callable[[], Any], training: bool) -> Any:
        returned = forward()
        self.seen.append((training, torch.is_grad_enabled(), torch.rand(()).item()))
        return returned


class TestExample:
    def test_each_mode_runs_once_and_nothing_is_left(self) -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
        model[0].eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        x, state, forwards = torch.randn(5, 3), torch.get_rng_state(), []
        model.register_forward_hook(lambda *_: forwards.append(model.training))
        seen = Example(model, x).watch(Modes).seen
        assert forwards == [False, True]
        assert [mode for mode, *_ in seen] == forwards
        assert not any(gradients for _, gradients, _ in seen)
        assert [module.training for module in model] == [False, True, True]
        torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
        assert torch.equal(torch.get_rng_state(), state)

    def test_what_is_returned_is_that_of_eval_mode_with_the_same_random_numbers(self) -> None:
        class Noisy(nn.Module):
            def forward(self, x: Tensor, *, scale: float) -> dict[str, Any]:
                return {"out": [x + torch.rand_like(x) * scale], "text": str(self.training)}

        model, x = Noisy(), torch.randn(5, 3)
        example = Example(model, {"x": x, "scale": 2.0})
        example.watch(Modes)
        first = example.returned
        example.watch(Modes)
        torch.manual_seed(0)
        (expected,) = model.eval()(x, scale=2.0)["out"]
        assert torch.equal(first[0], expected)
        assert torch.equal(example.returned[0], expected)

    def test_a_model_works_on_copies_of_the_batch(self) -> None:
        x = torch.randn(5, 3)
        before = x.clone()
        Example(nn.ReLU(inplace=True), (x,)).watch(Modes)
        assert torch.equal(x, before)

    def test_a_generator_runs_to_its_end(self) -> None:
        class Parts(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.act = nn.ReLU()

            def forward(self, x: Tensor) -> Any:
                for part in x.unbind():
                    yield self.act(part)

        model = Parts()
        example = Example(model, torch.randn(5, 3))
        assert example.count([model.act]) == {model.act: 5}
        assert len(example.returned) == 5

    def test_a_model_that_differentiates_is_tried_once_without_gradients(self) -> None:
        class Gradient(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                tried.append(torch.is_grad_enabled())
                x = x.requires_grad_()
                return torch.autograd.grad(x.square().sum(), x)[0]

        tried: list[bool] = []
        example = Example(Gradient(), torch.randn(5, 3))
        assert [gradients for _, gradients, _ in example.watch(Modes).seen] == [True, True]
        assert tried == [False, True, True]
        example.watch(Modes)
        assert tried == [False, True, True, True, True]

    def test_modules_are_counted_in_eval_mode_and_others_in_train_mode(self) -> None:
        class Heads(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.one, self.two, self.three, self.idle = nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                x = self.one(self.one(x))
                return self.two(self.one(x)) if self.training else self.three(x)

        model = Heads()
        example = Example(model, torch.randn(5, 3))
        assert example.count([model.one, model.three]) == {model.one: 2, model.three: 1}
        assert example.count(list(model.children())) == {model.one: 2, model.two: 1, model.three: 1}
        assert not any(module._forward_hooks for module in model.modules())

    def test_a_model_that_fails_in_train_mode_is_noted(self) -> None:
        class Fails(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                if self.training:
                    raise KeyError("targets")
                return x

        model = nn.Sequential(Fails(), nn.ReLU(), nn.Linear(3, 3))
        example = Example(model, torch.randn(5, 3))
        assert [mode for mode, *_ in example.watch(Modes).seen] == [False]
        assert example.notes == [
            "in train mode the model does not run on example_input (KeyError: 'targets'): seen in eval mode only"
        ]
        assert example.returned
        assert model.training
        assert example.notes[0] in acts.swap(model, {"relu": "mish"}, example_input=torch.randn(5, 3)).notes
        assert acts.verify(model, torch.randn(5, 3)).notes == tuple(example.notes)

    def test_a_model_that_fails_is_refused(self) -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        for run in (acts.find, acts.verify, lambda *given: Example(*given).count([model[1]])):
            if run is acts.verify:
                acts.swap(model, {"relu": "mish"})
            with pytest.raises(acts.SwapError, match="the model does not run on example_input: RuntimeError: mat1"):
                run(model, torch.randn(5, 2))


def test_calls_of_other_threads_are_left_alone() -> None:
    relu, seen = nn.ReLU(), []
    with after_each_call([relu], lambda module, args, result: seen.append((module, args, result))):
        thread = threading.Thread(target=relu, args=(torch.ones(1),))
        thread.start()
        thread.join()
        given = torch.zeros(1)
        returned = relu(given)
    relu(given)
    assert seen == [(relu, (given,), returned)]
