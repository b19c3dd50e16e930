"""
Where packages come from is a machine's own affair: no file of ours may say it.

The hosts are asked of the package tools, for a name written down here would be one more.
"""

import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.architecture.repository import ROOT, files

_PIP = (
    "from pip._internal.models.index import PyPI;"
    "print(PyPI.url, 'https://' + PyPI.file_storage_domain)"
)
_QUESTIONS = (
    [sys.executable, "-c", _PIP],
    [sys.executable, "-m", "pip", "config", "list"],
    ["npm", "config", "get", "registry"],
    ["go", "env", "GOPROXY", "GOSUMDB"],
)


def _answer(question: list[str]) -> str:
    try:
        done = subprocess.run(question, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""  # a tool that is not here points nowhere
    return done.stdout


@pytest.fixture(scope="module")
def hosts() -> set[str]:
    answers = "\n".join(_answer(question) for question in _QUESTIONS)
    addresses = re.findall(r"https?://[^\s,|'\"]+", answers)
    named = {urlsplit(address).hostname or "" for address in addresses}
    bare = set(re.findall(r"^[a-z][a-z0-9.-]*\.[a-z]{2,}$", answers, re.MULTILINE))
    return {host for host in named | bare if re.search(r"\.[a-z]{2,}$", host)}


def test_no_file_names_a_package_registry(hosts: set[str]) -> None:
    assert hosts, "pip at least has to say where it looks"
    pattern = re.compile(
        "|".join(rf"(?<![\w.-]){re.escape(host)}" for host in sorted(hosts)).encode()
    )

    named = [str(path.relative_to(ROOT)) for path in files() if pattern.search(path.read_bytes())]

    assert not named
