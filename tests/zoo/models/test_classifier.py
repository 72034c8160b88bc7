import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet

from lightning_acts.zoo.models.classifier import Classifier


class Linear(Classifier):
    def __init__(self, output: str = "logits") -> None:
        super().__init__(3, output)  # type: ignore[arg-type]
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.linear(x))


@pytest.mark.parametrize("output", ["logits", "log_softmax", "softmax"])
def test_the_three_ways_to_say_one_class_have_one_loss(output: str) -> None:
    torch.manual_seed(0)
    model, x, labels = Linear(output), torch.randn(6, 4), torch.arange(6) % 3
    scores = model.linear(x)
    torch.testing.assert_close(model.loss(model(x), labels), F.cross_entropy(scores, labels))
    torch.testing.assert_close(model.prediction(model(x)), scores.softmax(1))


def test_a_probability_of_0_has_a_loss() -> None:
    model = Linear("softmax")
    assert model.loss(torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([0])).isfinite()


def test_several_labels_at_once() -> None:
    torch.manual_seed(0)
    model, x = Linear("sigmoid"), torch.randn(60, 4)
    labels = (torch.rand(60, 3) > 0.5).long()
    trainer = quiet(max_epochs=1)
    trainer.fit(model, DataLoader(TensorDataset(x, labels), batch_size=16))
    (tested,) = trainer.test(model, DataLoader(TensorDataset(x, labels), batch_size=16), verbose=False)
    logits = model(x).detach().double()
    truth = labels.numpy()
    assert tested["test/loss"] == pytest.approx(F.binary_cross_entropy_with_logits(logits, labels.double()).item())
    assert tested["test/acc"] == pytest.approx(((logits > 0) == labels).double().mean(0).mean().item())
    expected = sklearn.metrics.f1_score(truth, logits > 0, average="macro")
    assert tested["test/f1"] == pytest.approx(expected, abs=1e-6)
    assert tested["test/auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(truth, logits), abs=1e-6)
    assert model.test_confusion is None
    torch.testing.assert_close(torch.cat(trainer.predict(model, DataLoader(x))), model(x).sigmoid())  # type: ignore[arg-type]


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"Linear\(output='softmx'\): one of logits, log_softmax, softmax, sigmoid"):
        Linear("softmx")
