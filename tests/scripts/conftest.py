import sys
from pathlib import Path

import lightning_acts

SCRIPTS = Path(lightning_acts.__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))  # scripts import each other as they do when they are started
