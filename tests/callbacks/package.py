"""The package of Lightning that the tests of the callbacks run with: its two names hold classes of their own."""

import importlib
import os
from typing import Any

L: Any = importlib.import_module(os.environ.get("LIGHTNING_PACKAGE", "lightning.pytorch"))
