"""Secrets by file, environment and command: hashes come through, everything else is refused unseen."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.errors import RefusalError
from builder.host.run import run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.profile.host_keys import KeySource
from builder.profile.model import SecretSource
from tests.sshd import make_key

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


@pytest.fixture(name="keys", scope="module")
def private_keys(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Private keys by ssh-keygen, and what is none."""
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder / "ed25519")
    make_key(folder / "ecdsa", "ecdsa")
    locked = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "canary", "-f", str(folder / "locked")]
    subprocess.run(locked, check=True, stdin=subprocess.DEVNULL)
    return {path.name: path.read_text() for path in folder.iterdir()}


def host_key(site: Path, kind: str = "ed25519", **source: Any) -> str:
    path = f"ssh_host_keys.{kind}"
    sources = {path: KeySource.model_validate(source)}
    return resolve(sources, site=Site(site), runner=run, environment=ENVIRONMENT)[path].reveal()


def test_private_keys_come_through_whole(tmp_path: Path, keys: Mapping[str, str]) -> None:
    write(tmp_path, "key", keys["ed25519"])
    write(tmp_path, "noted", f"of web1\n{keys['ed25519']}user: root\n")
    assert host_key(tmp_path, file="key") == keys["ed25519"]
    assert host_key(tmp_path, file="noted") == keys["ed25519"]
    assert host_key(tmp_path, command=["cat", str(tmp_path / "key")]) == keys["ed25519"]


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        pytest.param({"file": "missing"}, "S002", "domu hostkeys GUEST", id="no-file"),
        pytest.param({"env": "MISSING"}, "S003", "is not set", id="not-set"),
        pytest.param({"file": "open"}, "S004", "can be read by everybody", id="file-for-everybody"),
        pytest.param({"command": ["false"]}, "S005", "ended with status 1", id="command-fails"),
        pytest.param({"file": "ecdsa"}, "S007", "of type ecdsa", id="of-another-type"),
        pytest.param({"file": "ed25519.pub"}, "S007", "holds no private key", id="public-half"),
        pytest.param({"env": "PLAIN"}, "S007", "holds no private key", id="plain-text"),
        pytest.param({"env": "EMPTY"}, "S003", "is not set", id="set-to-nothing"),
        pytest.param({"file": "cut"}, "S007", "holds a private key that was", id="cut"),
        pytest.param({"file": "locked"}, "S008", "wants a passphrase", id="locked"),
        pytest.param({"command": ["head", "-c", "1000000", "/dev/zero"]}, "S007", "holds no", id="endless-command"),
    ],
)
def test_what_is_no_private_key_is_refused_unseen(
    tmp_path: Path, keys: Mapping[str, str], source: dict[str, Any], code: str, words: str
) -> None:
    for name, text in keys.items():
        write(tmp_path, name, text)
    write(tmp_path, "open", keys["ed25519"], 0o604)
    lines = keys["ed25519"].splitlines(keepends=True)
    write(tmp_path, "cut", "".join([*lines[:-2], lines[-1]]))
    with pytest.raises(RefusalError) as refusal:
        host_key(tmp_path, **source)
    (finding,) = refusal.value.findings
    assert finding.code == code
    assert words in finding.message + finding.hint
    assert "canary" not in str(finding)
    assert not any(line in str(finding) for text in keys.values() for line in text.splitlines()[1:-1])


def test_one_key_of_two_types_is_judged_for_each(tmp_path: Path, keys: Mapping[str, str]) -> None:
    write(tmp_path, "key", keys["ed25519"])
    source = KeySource.model_validate({"file": "key"})
    with pytest.raises(RefusalError) as refusal:
        resolve(
            {"ssh_host_keys.ed25519": source, "ssh_host_keys.rsa": source},
            site=Site(tmp_path),
            runner=run,
            environment={},
        )
    assert [finding.message.partition(":")[0] for finding in refusal.value.findings] == ["ssh_host_keys.rsa"]
