import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import LanguageModel, Prose
from lightning_acts.zoo.models.language_model import feed_forward

SMALL = {"vocab_size": 11, "context": 8, "width": 16, "depth": 2, "heads": 2}


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
def test_no_position_sees_what_follows(activation: str) -> None:
    torch.manual_seed(0)
    model = LanguageModel(**SMALL, activation=activation).eval()  # type: ignore[arg-type]
    tokens = torch.randint(11, (3, 8))
    changed = tokens.clone()
    changed[:, 5:] = (tokens[:, 5:] + 1) % 11
    one, other = model(tokens), model(changed)
    torch.testing.assert_close(one[:, :5], other[:, :5])
    assert (one[:, 5:] - other[:, 5:]).abs().amax(-1).min() > 1e-4
    torch.testing.assert_close(model(tokens[:, :5]), one[:, :5])


def test_weights_start_by_the_width() -> None:
    torch.manual_seed(0)
    for name, parameter in LanguageModel(width=64, depth=3).named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif parameter.dim() == 2:
            # 0.02 at a width of 1000; what is added up is scaled by the number of layers, two a block.
            expected = 0.02 * (1000 / 64) ** 0.5 / (6**0.5 if name.endswith("out.weight") else 1)
            assert parameter.std().item() == pytest.approx(expected, rel=0.05)


def test_a_gate_costs_no_parameters() -> None:
    counts = [
        sum(parameter.numel() for parameter in feed_forward(96, activation).parameters())
        for activation in ("gelu", "swiglu", "geglu")
    ]
    assert counts[1] == counts[2] == pytest.approx(counts[0], rel=0.01)


@pytest.mark.parametrize("activation", ["maxout", "crelu"])
def test_what_fits_into_no_feed_forward_is_refused(activation: str) -> None:
    with pytest.raises(
        ValueError, match=f"activation='{activation}' makes .* of .*: a feed-forward takes one that keeps or"
    ):
        LanguageModel(**SMALL, activation=activation)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_learns_and_perplexity_is_that_of_its_loss(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcde" * 500)
    torch.manual_seed(0)
    data = Prose(str(tmp_path / "a.txt"), context=8, batch_size=8)
    model = LanguageModel(vocab_size=data.vocab_size, context=8, width=16, depth=1, heads=2, lr=0.02)
    trainer = quiet(max_epochs=5)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    assert tested["test/perplexity"] == pytest.approx(math.exp(tested["test/loss"]), rel=1e-4)
    assert tested["test/perplexity"] < 1.5
    going_on = data.decode(model.generate(torch.tensor([data.encode("abcd")]), 8, temperature=0.1)[0].tolist())
    assert going_on == "abcdeabcdeab"
    model.plot_results(tmp_path, "gelu")
    text = (tmp_path / "sample.txt").read_text()
    assert text.startswith("gelu, the first 4 tokens are given:\n\n")
    assert "abcdeabcde" in text


def test_every_feed_forward_is_swapped() -> None:
    model = LanguageModel(**SMALL)  # type: ignore[arg-type]
    assert len(acts.swap(model, {"gelu": "squared_relu"}).swapped) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, r"LanguageModel\(width=16, heads=3\): the width is a multiple"),
        ({"depth": 0}, r"LanguageModel\(depth=0\): at least 1"),
        ({"activation": "gleu_"}, "there is no activation 'gleu_'"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LanguageModel(**{**SMALL, **options})  # type: ignore[arg-type]


def test_loss_is_that_of_each_position() -> None:
    model = LanguageModel(**SMALL)  # type: ignore[arg-type]
    logits, targets = torch.randn(2, 8, 11), torch.randint(11, (2, 8))
    expected: list[Tensor] = [-logits[n, t].log_softmax(0)[targets[n, t]] for n in range(2) for t in range(8)]
    torch.testing.assert_close(model.loss(logits, targets), torch.stack(expected).mean())
