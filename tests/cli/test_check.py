"""`domu check`: our own renders are linted, complete and parse; findings point where a person can mend them."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.cli import app

app.load_commands()
SITE = """\
suite: trixie
memory: 1G
volume_group: vg0
nics: [{bridge: xenbr0}]
mirror: http://mirror.example.org/debian
proxy: none
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i"


def check(root: Path, guest: str = "", *, shared: str = "", templates: dict[str, str] | None = None) -> int:
    """Of a site with the guest web1."""
    (root / "profiles").mkdir(exist_ok=True)
    (root / "preseeds").mkdir(exist_ok=True)
    (root / "profiles/site.yaml").write_text(SITE + shared)
    (root / "profiles/web1.yaml").write_text(f"ssh_keys: [{KEY}]\n{guest}")
    for name, text in (templates or {}).items():
        (root / "preseeds" / name).write_text(text)
    return app.call(["--site", str(root), "check"])


@pytest.mark.parametrize(
    "guest",
    [
        pytest.param("", id="the least"),
        pytest.param("type: hvm\n", id="hvm"),
        pytest.param("type: pvh\nsuite: bookworm\n", id="pvh and bookworm"),
        pytest.param("disk: {recipe: multi, size: 20G}\n", id="a stock recipe"),
        pytest.param("disk: {method: lvm, partitions: [{mount: /boot, minimum: 512M, maximum: 512M}, {mount: /, minimum: 2G}]}\n", id="lvm without swap"),
        pytest.param("users: [{name: ada, password: {env: NOT_SET_HERE}}]\nroot: {password: {file: absent}}\n", id="secrets that are not there"),
    ],
)  # fmt: skip
def test_what_our_templates_make_has_no_findings(
    tmp_path: Path, guest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, guest) == app.FINE, capsys.readouterr().out
    assert capsys.readouterr().out == "1 guest checked: no findings\n"


def test_an_incomplete_preseed_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, templates={"accounts.j2": "d-i passwd/make-user boolean false\n"}) == app.FINDINGS
    out = capsys.readouterr().out
    assert "web1 preseed.cfg: error Q101: the installer will ask, in stage 4 (accounts), passwd/root-password" in out
    assert "answer it: d-i passwd/root-password-crypted password HASH" in out


def test_findings_point_at_the_templates_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n# A clock.\nd-i clock-setup/utc boolean yes\nd-i time/zone select {{ guest.timezone|debconf }}\nd-i clock-setup/ntp boolean true\n"
    assert check(tmp_path, templates={"clock.j2": text}) == app.FINDINGS
    assert "preseeds/clock.j2:3: error L306: 'yes' is not true" in capsys.readouterr().out


def test_a_step_that_sh_cannot_parse_is_an_error_in_the_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest = "late_commands:\n  - echo fine\n  - run: if true; then echo\n    where: target\n"
    assert check(tmp_path, guest) == app.FINDINGS
    out = capsys.readouterr().out
    assert f"{tmp_path}/profiles/web1.yaml:4:10: error T107: sh cannot parse the step /domu/late/" in out
    assert "domu render web1 scripts shows it" in out


def test_a_step_that_sh_cannot_parse_is_an_error_in_the_template(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '{% call late("own") %}\necho one\necho two; }\n{% endcall %}\n'
    assert check(tmp_path, templates={"volumes.j2": text}) == app.FINDINGS
    assert "preseeds/volumes.j2:3: error T107" in capsys.readouterr().out


NOTE = "debconf: [{question: partman/default_label, value: gpt}]\n"


def test_codes_are_ignored_for_a_guest_or_for_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, NOTE)
    assert "warning L206" in capsys.readouterr().out
    check(tmp_path, NOTE + "lint: {ignore: [L206]}\n")
    assert capsys.readouterr().out == "1 guest checked: no findings\n"
    check(tmp_path, NOTE, shared="lint: {ignore: [L206]}\n")
    assert capsys.readouterr().out == "1 guest checked: no findings\n"


def test_codes_that_silence_nothing_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, shared="lint: {ignore: [L206]}\n")
    out = capsys.readouterr().out
    assert f"{tmp_path}/profiles/site.yaml:7:17: warning L190: no L206 is found" in out
    assert out.endswith("1 guest checked: 1 warning\n")


def test_secrets_show_in_no_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = 'd-i passwd/root-password-crypted {{ password("root")|reveal }}\nd-i a/b {{ password("root")|reveal }}\n'
    assert check(tmp_path, "root: {password: {env: NOT_SET_HERE}}\n", templates={"accounts.j2": own}) == app.FINDINGS
    out = capsys.readouterr().out
    assert "'******' stands where the type is due" in out
    assert "$y$" not in out
