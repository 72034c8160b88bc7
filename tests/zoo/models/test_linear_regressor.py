from typing import Any

import lightning as L
import pytest
import sklearn.linear_model
import torch

import lightning_acts as acts
from lightning_acts.zoo import Diabetes, LinearRegressor


def lbfgs(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    parameters = [parameter for group in groups for parameter in group["params"]]
    return torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe", tolerance_change=1e-12)


def test_it_comes_to_the_least_squares() -> None:
    data, model = Diabetes(batch_size=1000), LinearRegressor(10, optimizer=lbfgs)
    trainer = L.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, max_epochs=2,
    )  # fmt: skip
    trainer.fit(model, data)
    (rows, targets), (test_rows, test_targets) = next(iter(data.train_dataloader())), next(iter(data.test_dataloader()))
    with_ones = torch.cat([rows, torch.ones(len(rows), 1)], dim=1).double()
    solution = torch.linalg.lstsq(with_ones, targets.double().unsqueeze(1)).solution.squeeze(1)
    found = torch.cat(
        [model.target_std * model.linear.weight[0], model.target_std * model.linear.bias + model.target_mean]
    )
    torch.testing.assert_close(found.double(), solution, rtol=1e-2, atol=0.3)
    (tested,) = trainer.test(model, data, verbose=False)
    reference = sklearn.linear_model.LinearRegression().fit(rows, targets)
    assert tested["test/r2"] == pytest.approx(reference.score(test_rows, test_targets), abs=1e-3)


def test_it_has_no_hidden_activation() -> None:
    assert all(site.role == "output" for site in acts.find(LinearRegressor(3)))


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"LinearRegressor\(in_features=0\): at least 1"):
        LinearRegressor(0)
