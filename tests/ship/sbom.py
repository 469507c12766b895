"""make sbom: what runs, as a CycloneDX document and as a list of licences.

It reads the packages of requirements.lock out of an environment that has just them, so that
licences are those that the packages themselves state.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
TOOL = Path(sys.executable).with_name("cyclonedx-py")


def main() -> None:
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        python = Path(place) / "bin/python"
        _run(sys.executable, "-m", "venv", place)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        _run(*pip, "install", "--no-deps", "--require-hashes", "-r", "requirements.lock")
        _run(*pip, "uninstall", "--yes", "pip")  # it came with the environment
        document = DIST / "sbom.json"
        options = ["--output-reproducible", "--pyproject", "pyproject.toml"]
        _run(str(TOOL), "environment", *options, "--of", "JSON", "-o", str(document), str(python))
    components = json.loads(document.read_text())["components"]
    lines = sorted(f"{c['name']} {c['version']}: {_licences(c)}" for c in components)
    (DIST / "licences.txt").write_text("\n".join(lines) + "\n")
    unknown = [line for line in lines if line.endswith(": not stated")]
    print(f"dist/sbom.json, dist/licences.txt: {len(lines)} packages, {len(unknown)} unstated")


def _licences(component: dict[str, Any]) -> str:
    found = []
    for entry in component.get("licenses", []):
        licence = entry.get("license", {})
        found.append(entry.get("expression") or licence.get("id") or licence.get("name"))
    return ", ".join(sorted({name for name in found if name})) or "not stated"


def _run(*command: str) -> None:
    environment = {**os.environ, "PIP_NO_INPUT": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
