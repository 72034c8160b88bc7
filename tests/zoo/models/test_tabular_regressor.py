import pytest
import torch
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import Diabetes, TabularRegressor


@pytest.mark.parametrize("architecture", ["mlp", "residual"])
@pytest.mark.parametrize("output", ["linear", "softplus"])
def test_it_learns(architecture: str, output: str) -> None:
    torch.manual_seed(0)
    model = TabularRegressor(10, architecture, width=16, depth=1, output=output, lr=0.01)  # type: ignore[arg-type]
    trainer, data = quiet(max_epochs=10), Diabetes()
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    assert tested["test/r2"] > 0.2


def test_every_hidden_activation_is_swapped_and_the_output_is_not() -> None:
    model = TabularRegressor(4, "residual", output="softplus")
    assert [site.activation for site in acts.find(model) if site.role == "hidden"] == ["relu"] * 3
    acts.swap(model, {"relu": "mish", "softplus": "mish"})
    assert [site.activation for site in acts.find(model) if site.role == "hidden"] == ["mish"] * 3
    assert [site.activation for site in acts.find(model) if site.role == "output"] == ["softplus"]
    assert model(torch.randn(5, 4)).shape == (5,)


def test_data_of_another_size_are_refused_before_the_first_batch() -> None:
    with pytest.raises(
        ValueError, match=r"TabularRegressor\(in_features=4\): Diabetes has in_features=10: age, sex, bmi"
    ):
        quiet(max_epochs=1).fit(TabularRegressor(4), Diabetes())


@pytest.mark.parametrize(
    "options", [{"in_features": 0}, {"width": 0}, {"depth": 0}, {"dropout": 1.0}, {"output": "relu"}]
)
def test_mistakes(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"TabularRegressor\\({next(iter(options))}="):
        TabularRegressor(**{"in_features": 4, **options})  # type: ignore[arg-type]
