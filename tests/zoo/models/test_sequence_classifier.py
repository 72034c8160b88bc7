import pytest
import torch
from lightning import Trainer

import lightning_acts as acts
from lightning_acts.zoo import SequenceClassifier, Waveforms


@pytest.mark.parametrize(("architecture", "count"), [("cnn", 2), ("gru", 1)])
def test_it_learns_and_is_swapped(architecture: str, count: int) -> None:
    torch.manual_seed(0)
    model = SequenceClassifier(architecture=architecture, width=16, lr=0.01)  # type: ignore[arg-type]
    assert len(acts.swap(model, {"relu": "mish"}).swapped) == count
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, max_epochs=6)  # fmt: skip
    data = Waveforms(count=1200, batch_size=16)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    assert tested["test/acc"] > 0.75


@pytest.mark.parametrize("architecture", ["cnn", "gru"])
def test_sequences_have_any_length(architecture: str) -> None:
    model = SequenceClassifier(2, 5, architecture=architecture)  # type: ignore[arg-type]
    for length in (7, 30):
        assert model(torch.randn(3, 2, length)).shape == (3, 5)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"SequenceClassifier\(architecture='lstm'\): cnn or gru"):
        SequenceClassifier(architecture="lstm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"SequenceClassifier\(width=0\)"):
        SequenceClassifier(width=0)
