"""Secrets by file, environment and command: hashes come through, everything else is refused unseen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.errors import RefusalError
from builder.host.run import run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.profile.model import SecretSource

HASH = f"$6$canary${'canary' * 14}ca"
YESCRYPT = f"$y$j9T$canary${'c' * 43}"
ENVIRONMENT = {"PATH": os.environ["PATH"], "GOOD": HASH, "PLAIN": "canary", "EMPTY": "", "CANARY_HOME": "/x"}


def write(site: Path, name: str, text: str, mode: int = 0o600) -> None:
    path = site / name
    path.write_text(text)
    path.chmod(mode)


def resolved(site: Path, **source: Any) -> Mapping[str, str]:
    sources = {"root.password": SecretSource.model_validate(source)}
    found = resolve(sources, site=Site(site), runner=run, environment=ENVIRONMENT)
    return {path: secret.reveal() for path, secret in found.items()}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({"hash": HASH}, HASH, id="given"),
        pytest.param({"file": "good"}, HASH, id="file"),
        pytest.param({"file": "long"}, YESCRYPT, id="first-line-of-a-file"),
        pytest.param({"env": "GOOD"}, HASH, id="environment"),
        pytest.param({"command": ["cat", "good"]}, HASH, id="command"),
        pytest.param({"command": ["printenv", "GOOD"]}, HASH, id="command-sees-the-environment"),
    ],
)
def test_hashes_come_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "good", HASH + "\n")
    write(tmp_path, "long", f"{YESCRYPT}\nuser: root\n")
    assert resolved(tmp_path, **source) == {"root.password": expected}


@pytest.mark.parametrize(
    ("source", "code"),
    [
        pytest.param({"file": "missing"}, "S002", id="no-file"),
        pytest.param({"file": "folder"}, "S002", id="folder"),
        pytest.param({"file": "pipe"}, "S002", id="pipe"),
        pytest.param({"env": "MISSING"}, "S003", id="not-set"),
        pytest.param({"env": "EMPTY"}, "S003", id="set-to-nothing"),
        pytest.param({"file": "open"}, "S004", id="file-for-everybody"),
        pytest.param({"command": ["domu-no-such-program"]}, "S005", id="no-program"),
        pytest.param({"command": ["sh", "-c", "echo canary; echo canary >&2; exit 3"]}, "S005", id="command-fails"),
        pytest.param({"file": "plain"}, "S006", id="plain-password"),
        pytest.param({"file": "empty"}, "S006", id="empty-file"),
        pytest.param({"file": "binary"}, "S006", id="no-text"),
        pytest.param({"file": "md5"}, "S006", id="weak-hash"),
        pytest.param({"env": "PLAIN"}, "S006", id="plain-password-in-the-environment"),
        pytest.param({"command": ["echo", "canary"]}, "S006", id="plain-password-from-a-command"),
        pytest.param({"command": ["head", "-c", "1000000", "/dev/zero"]}, "S006", id="endless-command"),
    ],
)
def test_everything_else_is_refused_unseen(tmp_path: Path, source: dict[str, Any], code: str) -> None:
    write(tmp_path, "open", HASH, 0o604)
    write(tmp_path, "plain", "canary\n")
    write(tmp_path, "empty", "")
    write(tmp_path, "md5", "$1$canary$canarycanarycanaryca\n")
    (tmp_path / "binary").write_bytes(b"\xff\0canary")
    (tmp_path / "binary").chmod(0o600)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusalError) as refused:
        resolved(tmp_path, **source)
    (finding,) = refused.value.findings
    assert finding.code == code
    if "sh" not in source.get("command", ()) and "canary" not in source.get("command", ()):
        assert "canary" not in str(finding) + str(refused.value)
    assert finding.hint


def test_a_failing_commands_output_is_not_repeated(tmp_path: Path) -> None:
    write(tmp_path, "plain", "canary\n")
    with pytest.raises(RefusalError) as refused:
        resolved(tmp_path, command=["cat", str(tmp_path / "plain"), "/missing"])
    assert "canary" not in repr(refused.value.findings)


def test_all_that_are_missing_are_named_at_once(tmp_path: Path) -> None:
    sources = {
        "root.password": SecretSource.model_validate({"env": "MISSING"}),
        "users.alex.password": SecretSource.model_validate({"file": "missing"}),
        "users.kim.password": SecretSource.model_validate({"env": "GOOD"}),
    }
    with pytest.raises(RefusalError) as refused:
        resolve(sources, site=Site(tmp_path), runner=run, environment=ENVIRONMENT)
    assert [finding.message.split(":")[0] for finding in refused.value.findings] == [
        "root.password",
        "users.alex.password",
    ]


def test_one_command_for_several_users_runs_once(tmp_path: Path) -> None:
    source = SecretSource.model_validate({"command": ["sh", "-c", f"echo >> {tmp_path}/runs; printenv GOOD"]})
    found = resolve({"a": source, "b": source}, site=Site(tmp_path), runner=run, environment=ENVIRONMENT)
    assert found["a"] == found["b"]
    assert (tmp_path / "runs").read_text() == "\n"
