"""Swaps that come back from processes which train copies of the model: as a fit in one process leaves them."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

START = """
    import torch, lightning_acts as acts
    from package import L
    from lightning_acts.callbacks.activation_swap import ActivationSwap as Swap
    from test_scheduled_swaps import Net, loader, swaps
    from torch import nn

    def trainer(callbacks, strategy="auto", devices=1, epochs=4):
        quiet = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)
        quiet["use_distributed_sampler"] = devices > 1  # one that shuffles
        return L.Trainer(accelerator="cpu", devices=devices, strategy=strategy, max_epochs=epochs, callbacks=callbacks, **quiet)
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "main.py").write_text(textwrap.dedent(START) + textwrap.dedent(script))
    # A fork hangs in torch after its parent has computed with several threads of OpenMP.
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "main.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp_fork", "ddp_notebook"])
def test_a_fork_leaves_what_one_process_does(strategy: str, tmp_path: Path) -> None:
    """Structure, weights and the state of the callbacks, after a fit and after another one that goes on."""
    script = f"""
        CASES = {{
            "at the start": lambda: [Swap({{"relu": "mish"}})],
            "with parameters": lambda: [Swap({{"relu": "prelu(init=0.1)"}})],
            "at a step": lambda: [Swap({{"relu": "beta_swish"}}, at={{"step": 3}})],
            "within a blend": lambda: [Swap({{"relu": "prelu(init=0.1)"}}, at={{"epoch": 1}}, blend={{"epochs": 4}})],
            "blends that end": swaps,
            "an order": lambda: [
                Swap({{"relu": "prelu(init=0.1)"}}, at={{"epoch": 1}}, blend={{"epochs": 6}}, order="from_output"),
                Swap({{"prelu": "mish"}}, include="slope", at={{"epoch": 2}}),
            ],
            "one after the other": lambda: [Swap({{"relu": "tanh"}}), Swap({{"tanh": "prelu"}}, at={{"epoch": 1}})],
            "restored": lambda: [Swap({{"relu": "prelu(init=0.1)"}}, at={{"epoch": 1}}, restore=True)],
        }}

        def fits(make, strategy):
            model, callbacks = Net(), make()
            for _ in range(2):
                trainer(callbacks, strategy).fit(model, loader())
                yield model, callbacks

        if __name__ == "__main__":
            for case, make in CASES.items():
                print(case)
                pairs = zip(fits(make, {strategy!r}), fits(make, "auto"), strict=True)
                for (model, mine), (expected, theirs) in pairs:
                    assert repr(model) == repr(expected), model
                    torch.testing.assert_close(dict(model.named_parameters()), dict(expected.named_parameters()))
                    assert [one.state_dict() for one in mine] == [one.state_dict() for one in theirs]
                    assert [one.report.to_dict() for one in mine] == [one.report.to_dict() for one in theirs]
            print("ALL WELL")
    """
    done = run(script, tmp_path)
    assert "ALL WELL" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_two_processes_by_spawn(tmp_path: Path) -> None:
    """A blend goes on in a second fit, is tested in between, and its checkpoint can be loaded."""
    script = """
        if __name__ == "__main__":
            model, swap = Net(), Swap({"relu": "prelu(init=0.1)"}, at={"epoch": 1}, blend={"epochs": 4})
            first = trainer([swap], "ddp_spawn", devices=2)
            first.fit(model, loader())
            assert round(model.act.amount, 6) == round(model.relu_0.amount, 6) == 0.75
            assert len(swap.report.swapped) == 2
            trained = float(model.act.new.weight.detach())
            assert abs(trained - 0.1) > 1e-3
            one = Net()
            acts.load_swaps(one, acts.save_swaps(model, "swap.json"))
            one.load_state_dict(model.state_dict())
            assert first.test(model, loader(), verbose=False)  # in two processes, each measures its half
            (tested,) = trainer([swap]).test(model, loader(), verbose=False)
            (expected,) = trainer([]).test(one, loader(), verbose=False)
            assert abs(tested["val/loss"] - expected["val/loss"]) < 1e-4, (tested, expected)
            trainer([swap], "ddp_spawn", devices=2).fit(model, loader())
            assert type(model.act) is type(model.relu_0) is nn.PReLU
            assert float(model.act.weight.detach()) != trained
            assert swap.state_dict()["progress"] == 1.0
            print("ALL WELL")
    """
    done = run(script, tmp_path)
    assert "ALL WELL" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_what_cannot_come_back_is_refused_before_the_training(tmp_path: Path) -> None:
    script = """
        class Late(Net):
            def configure_model(self):
                self.act = nn.ReLU()

            def on_train_epoch_start(self):
                print("it trains")

        class Own(nn.Module):
            def forward(self, x):
                return x.tanh()

        class Early(Late):
            def configure_model(self):
                pass

        if __name__ == "__main__":
            early = Early()
            acts.swap(early, {"prelu": Own})
            for model in (Late(), early):
                try:
                    trainer([Swap({"relu": "mish"})], "ddp_fork").fit(model, loader())
                except Exception as error:
                    print(" ".join(str(error).split()))
    """
    done = run(script, tmp_path)
    assert "build the layers in the constructor, or use strategy='ddp'" in done.stdout, done.stderr
    assert "a process started by spawn or fork can't send its swap back" in done.stdout, done.stdout + done.stderr
    assert "it trains" not in done.stdout


@pytest.mark.slow
def test_models_that_are_left_as_they_were(tmp_path: Path) -> None:
    """No weights come back from a test; a model that was swapped before needs no callback."""
    script = """
        if __name__ == "__main__":
            model, swapped = Net(), Net()
            trainer([Swap({"relu": "mish"})], "ddp_fork").test(model, loader(), verbose=False)
            acts.swap(swapped, {"relu": "prelu"})
            trainer([], "ddp_fork").fit(swapped, loader())
            print(type(model.act).__name__, type(swapped.act).__name__, float(swapped.act.weight.detach()) != 0.25)
    """
    done = run(script, tmp_path)
    assert "ReLU PReLU True" in done.stdout, done.stderr
