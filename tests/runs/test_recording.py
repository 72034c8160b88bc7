from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_acts.runs.recording import WholeFiles


def test_a_checkpoint_is_there_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"step": torch.tensor(1)}, path)

    def full(checkpoint: Any, path: Path, *_: Any, **__: Any) -> None:
        Path(path).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        "lightning.fabric.plugins.TorchCheckpointIO.save_checkpoint", lambda self, *a, **k: full(*a, **k)
    )
    with pytest.raises(OSError, match="No space left"):
        WholeFiles().save_checkpoint({"step": torch.tensor(2)}, path)
    assert torch.load(path, weights_only=True)["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
