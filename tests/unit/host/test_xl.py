"""xl asked through the Runner, and whether Xen is here at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.run import Completed, run
from builder.host.xl import is_dom0, list_domains, look_for_xen, xen_info
from tests.xl import DOM0, INFO, LONG_HEAD

NO_HANDLE = "xencall: error: Could not obtain handle on privileged command interface"


class Xl:
    """Answers of xl by its words, within the time allowed; fails on what it was not told."""

    def __init__(self, answers: Mapping[str, str], status: int = 0, stderr: str = "") -> None:
        self.answers, self.status, self.stderr = answers, status, stderr

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = 0, env: Mapping[str, str] | None = None
    ) -> Completed:
        assert (argv[0], stdin, env, limit) == ("xl", b"", None, 0)
        return Completed(tuple(argv), self.status, self.answers[" ".join(argv[1:])].encode(), self.stderr.encode())


def test_domains_and_info_are_asked_for() -> None:
    xl = Xl({"list --verbose": LONG_HEAD + DOM0, "list --long": "[]", "info": INFO})
    (dom0,) = list_domains(xl)
    assert dom0.name == "Domain-0"
    assert xen_info(xl).release == "4.17"


@pytest.mark.parametrize(
    ("stderr", "meaning"),
    [
        ("ERROR:  Can't find hypervisor information in sysfs!\n", "no Xen runs here"),
        (f"{NO_HANDLE}: No such file or directory\ncannot init xl context\n", "no Xen runs here"),
        (f"{NO_HANDLE}: Permission denied\ncannot init xl context\n", "root only"),
        ("ERROR:  Can't find version 4.17 of xen utils (maybe it was removed), bailing out!\n", "not installed"),
        ("libxl: error: libxl.c:110: cannot connect to xenstore: No such file\n", "xenstore does not answer"),
        ("libxl: error: something else\n", "something else"),
    ],
)
def test_why_xl_refuses_is_told_in_words(stderr: str, meaning: str) -> None:
    with pytest.raises(BuilderError, match=meaning) as caught:
        xen_info(Xl({"info": ""}, 1, stderr))
    assert caught.value.hint
    assert "xl info" in caught.value.message


def test_without_xl_its_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuilderError, match="xl is not installed") as caught:
        xen_info(run)
    assert "apt-get install" in caught.value.hint


@pytest.mark.parametrize(
    ("files", "xen", "dom0"),
    [
        pytest.param({}, False, False, id="no hypervisor"),
        pytest.param({"sys/hypervisor/type": "kvm\n"}, False, False, id="another hypervisor"),
        pytest.param({"sys/hypervisor/type": "xen\n"}, True, False, id="nothing more to be seen"),
        pytest.param({"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": "control_d\n"}, True, True, id="dom0"),
        pytest.param({"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": ""}, True, False, id="a guest"),
        pytest.param(
            {"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": "00000000-0000-0000-0000-000000000000\n"},
            True,
            True,
            id="dom0 by its UUID",
        ),
        pytest.param(
            {"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": "3f0a3c5e-1111-4222-8333-0123456789ab\n"},
            True,
            False,
            id="a guest by its UUID",
        ),
    ],
)
def test_xen_is_looked_for(files: dict[str, str], tmp_path: Path, *, xen: bool, dom0: bool) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = look_for_xen(tmp_path)
    assert (found.xen, found.dom0, is_dom0(tmp_path)) == (xen, dom0, dom0)
    assert found.why


@pytest.mark.skipif(look_for_xen().xen, reason="Xen runs below this machine")
@pytest.mark.skipif(shutil.which("xl") is None, reason="xl is not installed: apt-get install xen-utils-common")
def test_the_real_xl_of_a_machine_without_xen_is_understood() -> None:
    with pytest.raises(BuilderError, match="no Xen runs here"):
        list_domains(run)


@pytest.mark.parametrize("xl", sorted(Path("/usr/lib").glob("xen-*/bin/xl")), ids=str)
@pytest.mark.skipif(look_for_xen().xen, reason="Xen runs below this machine")
def test_xl_without_debians_wrapper_is_understood_too(xl: Path) -> None:
    def runner(
        argv: Sequence[str], *, stdin: bytes = b"", limit: float = 60, env: Mapping[str, str] | None = None
    ) -> Completed:
        return run([str(xl), *argv[1:]], stdin=stdin, limit=limit, env=env)

    with pytest.raises(BuilderError, match="no Xen runs here"):
        list_domains(runner)
