import json
import sys
from pathlib import Path

import pytest

from lightning_acts.extras import ImportPathError, import_module, import_name, require


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


def test_finds_what_an_import_path_names() -> None:
    assert import_module("json.decoder") is json.decoder
    assert import_name("json", "JSONDecoder.decode") is json.JSONDecoder.decode


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("no_such_package.part", "x", "there is no module 'no_such_package'; a hint"),
        ("json.no_such_module", "x", "there is no module 'json.no_such_module'; a hint"),
        ("json", "JSONDecoderr", "json has no 'JSONDecoderr'; did you mean 'JSONDecoder'"),
        ("json", "JSONDecoder.decod", "json has no 'JSONDecoder.decod'; did you mean 'decode'"),
        ("math", "pi.x", "math has no 'pi.x'."),
        ("json", "scaner", "json has no 'scaner'."),  # json.scanner is a module
    ],
)
def test_an_import_path_that_leads_nowhere(module: str, name: str, message: str) -> None:
    with pytest.raises(ImportPathError) as caught:
        import_name(module, name, hint="; a hint")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("code", ["import surely_not_there", "import json.surely_not_there", "raise KeyError('own')"])
def test_an_error_within_a_module_is_its_own(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fails_to_import.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises((ModuleNotFoundError, KeyError), match="surely_not_there|own") as caught:
        import_name("fails_to_import", "x")
    assert not isinstance(caught.value, ImportPathError)
