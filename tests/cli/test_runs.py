import subprocess
import sys
from pathlib import Path


def test_no_socket_is_opened(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refused(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refused; socket.create_connection = refused; socket.getaddrinfo = refused\n"
        "sys.argv = ['lightning-acts', 'train', 'digits', '--dry-run', 'model.backbone=timm:resnet10t', 'model.small_images=false']\n"
        "from lightning_acts.cli.app import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "would train 5 epochs" in done.stdout
