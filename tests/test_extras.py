import sys

import pytest

from lightning_acts.extras import require


def test_names_the_extra_of_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "path", [])
    for module in ("torchvision", "torchvision.models"):
        with pytest.raises(ImportError, match=r"torchvision is not installed: pip install 'lightning-acts\[vision\]'"):
            require(module, extra="vision")


def test_a_package_that_misses_another_one_says_so_itself(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import surely_not_there\n")  # type: ignore[operator]
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'surely_not_there'"):
        require("half_installed", extra="vision")


def test_gives_the_module() -> None:
    assert require("collections.abc", extra="vision").__name__ == "collections.abc"
