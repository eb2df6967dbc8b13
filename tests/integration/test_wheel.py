"""The wheel, installed into a fresh environment and started from an empty folder: as a user has it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    wheel = next(folder.glob("caudal-*.whl"))
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    bin_folder = folder / "venv" / "bin"
    pip = [str(bin_folder / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(pip, check=True, timeout=600)
    return bin_folder


@pytest.fixture
def running(installed: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    process = subprocess.Popen(
        [str(installed / "caudal"), "start", "--port", "0", "--kafka-port", "0", "--ready-json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline() or "{}")
    process.terminate()
    process.communicate(timeout=30)


def test_wheel_runs_from_an_empty_folder(running: dict[str, str], tmp_path: Path) -> None:
    produced = httpx.post(
        f"{running['rest']}/topics/t",
        content='{"records": [{"value": 1}]}',
        headers={"Content-Type": "application/vnd.kafka.json.v2+json"},
    )
    assert produced.json()["offsets"][0]["offset"] == 0
    page = httpx.get(f"{running['http']}/ui/clusters/local")
    assert page.status_code == 200
    style = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert httpx.get(running["http"] + style).status_code == 200
    assert (tmp_path / "caudal-data" / "caudal.db").exists()
