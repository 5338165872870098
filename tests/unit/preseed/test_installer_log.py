"""An installer's records to answers, without what is secret."""

from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.preseed.installer_log import read_answers

CANARY = "canary-of-a-secret"
QUESTIONS = f"""\
Name: debian-installer/locale
Template: debian-installer/locale
Value: de_DE.UTF-8
Owners: d-i, localechooser
Flags: seen

Name: passwd/root-password
Template: passwd/root-password
Value: {CANARY}
Owners: d-i

Name: netcfg/get_nameservers
Template: netcfg/get_nameservers
Value: 192.0.2.53
Owners: d-i
Variables:
 SOMETHING = else
 Value = {CANARY}

Name: debian-installer/main-menu
Template: debian-installer/main-menu
Owners: d-i

Name: preseed/late_command
Template: preseed/late_command
Value: echo {CANARY}
Owners: d-i

Name: pkgsel/include
Value:
"""
SELECTIONS = f"""\
# Choice of language
d-i\tdebian-installer/locale\tselect\tde_DE.UTF-8
d-i\tpasswd/user-password-crypted\tpassword\t{CANARY}
d-i\tpasswd/username\tstring\talex
d-i\tpkgsel/include\tstring\t
tasksel\ttasksel/first\tmultiselect\tstandard, ssh-server
d-i\tpreseed/late_command\tstring\techo {CANARY}
d-i\tnetcfg/wireless_wpa\tstring\t{CANARY}
"""


def test_questions_dat_is_read() -> None:
    assert read_answers(QUESTIONS, "questions.dat") == {
        "debian-installer/locale": "de_DE.UTF-8",
        "netcfg/get_nameservers": "192.0.2.53",
        "preseed/late_command": "",
        "pkgsel/include": "",
    }


def test_selections_are_read() -> None:
    assert read_answers(SELECTIONS, "selections") == {
        "debian-installer/locale": "de_DE.UTF-8",
        "passwd/username": "alex",
        "pkgsel/include": "",
        "tasksel/first": "standard, ssh-server",
        "preseed/late_command": "",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", f"{CANARY}\n", f"Name: a/b\n{CANARY}\n"])
def test_what_is_neither_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BuilderError) as caught:
        read_answers(text, "some file")
    assert "some file" in caught.value.message
    assert CANARY not in str(caught.value)
    assert caught.value.hint
