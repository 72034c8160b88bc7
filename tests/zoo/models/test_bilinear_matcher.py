from pathlib import Path

import pytest
import sklearn.metrics
import torch
from torch.utils.data import DataLoader
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import BilinearMatcher, DigitPairs


def test_the_bilinear_form() -> None:
    torch.manual_seed(0)
    model = BilinearMatcher(3, 2, width=4, depth=0)
    x1, x2 = torch.randn(5, 3), torch.randn(5, 2)
    (first,), (second,) = model.encoder1, model.encoder2
    expected = torch.einsum("ni,ij,nj->n", first(x1), model.bilinear.weight[0], second(x2)) + model.bilinear.bias
    torch.testing.assert_close(model(x1, x2), expected)


def test_metrics_are_scikit_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data, model = DigitPairs(), BilinearMatcher(32, 32, width=16, lr=0.01)
    trainer = quiet(max_epochs=8)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    model.plot_results(tmp_path, "halves")
    assert (tmp_path / "matches.png").stat().st_size > 5000
    labels = torch.cat([labels for _, labels in data.test_dataloader()]).numpy()
    predicted = torch.cat(trainer.predict(model, data)).double().numpy()  # type: ignore[arg-type]
    assert 0 < predicted.min() < predicted.max() < 1
    assert tested["test/acc"] == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted > 0.5), abs=1e-6)
    assert tested["test/f1"] == pytest.approx(sklearn.metrics.f1_score(labels, predicted > 0.5), abs=1e-6)
    assert tested["test/auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(labels, predicted), abs=1e-6)
    assert tested["test/loss"] == pytest.approx(sklearn.metrics.log_loss(labels, predicted), abs=1e-5)
    assert tested["test/auroc"] > 0.8


def test_inputs_that_are_no_images_make_no_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)

    class Rows(torch.utils.data.Dataset[object]):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> object:
            return (torch.randn(3), torch.randn(2)), torch.tensor(1)

    model = BilinearMatcher(3, 2)
    (tested,) = quiet().test(model, DataLoader(Rows(), batch_size=4), verbose=False)
    assert tested["test/auroc"] == 0
    model.plot_results(tmp_path, "rows")
    assert not list(tmp_path.iterdir())


def test_both_encoders_are_swapped() -> None:
    model = BilinearMatcher(3, 2, depth=2)
    acts.swap(model, {"relu": "mish"})
    hidden = [(site.path, site.activation) for site in acts.find(model) if site.role == "hidden"]
    assert hidden == [(f"encoder{side}.{layer}", "mish") for side in (1, 2) for layer in (1, 3)]
    assert model(torch.randn(5, 3), torch.randn(5, 2)).shape == (5,)


@pytest.mark.parametrize(
    "options", [{"in_features1": 0}, {"in_features2": 0}, {"width": 0}, {"depth": -1}, {"dropout": 1.0}]
)
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"BilinearMatcher\\({next(iter(options))}="):
        BilinearMatcher(**{"in_features1": 4, "in_features2": 3, **options})  # type: ignore[arg-type]


def test_under_autocast_it_gives_what_it_gives_in_single_precision() -> None:
    torch.manual_seed(0)
    model, inputs = BilinearMatcher(4, 6, width=8), (torch.randn(5, 4), torch.randn(5, 6))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(*inputs)
    torch.testing.assert_close(logits, model(*inputs), rtol=0.05, atol=0.05)
