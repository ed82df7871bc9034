"""The conditions of a run in one line."""

import re

from wildlens import __version__
from wildlens.files import conditions as module
from wildlens.files.conditions import commit, conditions

HASH = "0123456789abcdef0123456789abcdef01234567"


def test_line_has_date_system_cores_version_and_more():
    text = conditions("2 threads")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, ", text)
    assert re.search(r", \d+ cores, 2 threads, Python 3\.", text)
    assert f"WildLens {__version__}" in text and "\n" not in text


def test_commit_is_read_from_branch_packed_or_detached(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "src/wildlens")
    monkeypatch.setattr(module, "_installed_from", lambda: "")
    git = tmp_path / ".git"
    assert commit() == ""
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert commit() == "", "a branch without a commit"
    (git / "packed-refs").write_text(f"# pack-refs\n{HASH} refs/heads/main\n")
    assert commit() == HASH and f"(commit {HASH[:10]})" in conditions()
    other = HASH[::-1]
    (git / "refs/heads/main").write_text(f"{other}\n")
    assert commit() == other
    (git / "HEAD").write_text(f"{HASH}\n")
    assert commit() == HASH
    (git / "HEAD").write_text("no hash at all\n")
    assert commit() == ""


def test_commit_of_an_installed_package_is_from_pip(tmp_path, monkeypatch):
    class Installed:
        def __init__(self, text):
            self.text = text

        def read_text(self, name):
            assert name == "direct_url.json"
            return self.text

    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "site-packages/wildlens")
    for text, expected in (
        (f'{{"vcs_info": {{"commit_id": "{HASH}"}}}}', HASH), (None, ""), ("broken", ""),
        ('{"dir_info": {}}', ""), ("[]", ""),
    ):  # fmt: skip
        monkeypatch.setattr(module, "distribution", lambda name, text=text: Installed(text))
        assert commit() == expected
