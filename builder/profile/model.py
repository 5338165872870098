"""The model of a guest: what a profile says once it is read, merged and found sound. Frozen and typed."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID, uuid5

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from builder.profile import fields
from builder.profile.base import Model, or_text
from builder.profile.disks import Disk, Volume
from builder.profile.host_keys import HostKeys, KeySource
from builder.profile.nics import Nic
from builder.secret import Secret
from builder.units import Size

Suite = Literal["bookworm", "trixie"]
Arch = Literal["amd64", "arm64"]
GuestType = Literal["pv", "pvh", "hvm"]
MediaSource = Literal["images", "package"]
ShutdownAction = Literal["destroy", "restart", "preserve"]
TscMode = Literal["always_emulate", "native", "native_paravirt"]
CrashAction = Literal["destroy", "restart", "preserve", "coredump-destroy", "coredump-restart"]
# Suffixes of vdev names, in order; xl takes more, no guest here needs more than 25 data volumes.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_UUIDS = UUID("6d7b6c30-6c1f-5c0e-9d6a-2b1f0a6f2f4e")  # a name space of domu's own
# d-i shows lowmem/low at 512 MiB even at priority critical; measured on trixie under Xen 4.17.
LEAST_INSTALL_MEMORY = Size.parse("768M")
# Values of these keys are never repeated in a message, nor is what stands below them.
UNSPOKEN = frozenset({"password", "hash", "value", "ssh_host_keys"})


def _parse_hash(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str) and fields.CRYPT_HASH.fullmatch(value):
        return Secret(value)
    raise PydanticCustomError("secret", "is not a yescrypt ($y$) or SHA-512 ($6$) crypt hash")


SecretField = Annotated[
    Secret,
    PlainValidator(_parse_hash),
    PlainSerializer(repr),
    WithJsonSchema({"type": "string", "pattern": r"^\$(y|6)\$.+\$[./A-Za-z0-9]+$"}),
]


class SecretSource(Model):
    """Where a crypt hash comes from: given directly, or by file, environment variable or command."""

    hash: SecretField | None = Field(None, description="The hash itself, as `domu passwd` prints it")
    file: fields.SitePath | None = Field(None, description="A file whose first line is the hash; relative to the site")
    env: fields.VariableName | None = Field(None, description="An environment variable that holds the hash")
    command: tuple[fields.Text, ...] | None = Field(
        None, description="A program and its arguments that print the hash, as in [pass, show, guests/web1/root]"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, dict | SecretSource):
            return value
        return {"hash": _parse_hash(value)}

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("hash", "file", "env", "command") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("needs exactly one of hash, file, env and command")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return or_text(handler, handler(schema), pattern=r"^\$(y|6)\$")


class User(Model):
    """A login in the installed system."""

    name: fields.UserName = Field(description="The login; the installer refuses names that Debian's packages use")
    full_name: fields.FullName = Field("", description="For the password file's comment field")
    password: SecretSource | None = Field(None, description="A crypt hash; without one, only SSH keys log in")
    ssh_keys: tuple[fields.SshKey, ...] = Field((), description="Public keys that may log in as this user")
    sudo: fields.Flag = Field(default=False, description="Member of the group sudo")


class Root(Model):
    """The account root: without a password its login is locked; SSH keys work all the same."""

    password: SecretSource | None = Field(None, description="A crypt hash; without one, root's password is locked")
    ssh_keys: tuple[fields.SshKey, ...] = Field((), description="Public keys that may log in as root")


class InitrdFile(Model):
    """A file of the site that travels in the initrd, for early and late commands."""

    source: fields.SitePath = Field(description="Relative to the site")
    path: fields.FilePath = Field(description="Where it is in the installer")
    executable: fields.Flag = Field(default=False, description="Mode 0755 instead of 0644")


class Answer(Model):
    """One more debconf answer; `owner` d-i for the installer's questions, else the package."""

    owner: fields.PackageName = Field("d-i", description="d-i, or the package whose question it is")
    question: fields.Question = Field(description="The question's full name")
    type: Literal["string", "boolean", "select", "multiselect", "note", "text"] = Field(
        "string", description="As the question's template has it"
    )
    value: fields.AnswerText | fields.Flag | fields.Count = Field("", description="The answer")

    @model_validator(mode="after")
    def _no_password(self) -> Self:
        # Answers are shown by `domu show` and `domu render`; the accounts' passwords have fields that are not.
        if re.search(r"password|passphrase", self.question):
            raise ValueError("asks for a password, and an answer is no secret; use root.password or users, with a hash")
        return self


class LateCommand(Model):
    """A shell command at the end of the installation."""

    run: fields.Shell = Field(description="For sh; several run in order, and each that fails is reported")
    where: Literal["installer", "target"] = Field("installer", description="target: inside the installed system")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"run": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return or_text(handler, handler(schema))


class Lint(Model):
    """What the linter is told about the guest's preseed."""

    ignore: tuple[fields.LintCode, ...] = Field((), description="Codes that are not reported")


class Vnc(Model):
    """The screen of an HVM guest over VNC: neither password nor encryption, so it is for dom0's own loopback."""

    # IPv4: xl takes what follows the first colon for the display.
    listen: fields.Address4 = Field(IPv4Address("127.0.0.1"), description="The address of dom0 it is offered on")
    display: fields.Count | None = Field(
        None, ge=0, le=999, description="Port 5900 and so many; the first that is free unless given"
    )


class Ready(Model):
    """By what `domu rebuild` knows that the guest is up again."""

    port: fields.Count | None = Field(
        None, ge=1, le=65535, description="A TCP port that answers at its first address; 22 unless given, ssh's"
    )
    command: fields.Command | None = Field(
        None, description="A program and its arguments, run in dom0 until it succeeds; instead of a port"
    )
    console: fields.Flag = Field(
        default=False, description="A login prompt on its console counts, for a guest that dom0 has no way to"
    )
    limit: fields.Count = Field(600, ge=1, le=86_400, description="Seconds that this may take")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = [name for name in ("port", "command", "console") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; write one of them")
        return self


class Hook(Model):
    """A program that is run in dom0 when the guest is up again: a restore, Ansible."""

    command: fields.Command = Field(description="The program and its arguments; no shell looks at them")
    limit: fields.Count = Field(3600, ge=1, le=604_800, description="Seconds that it may take")


class Guest(Model):
    """A guest, resolved: site, layers and its own profile merged, every value checked."""

    name: fields.GuestName = Field(description="From the file's name")
    description: fields.Text = Field("", description="A line for people")
    suite: Suite = Field(description="The Debian release to install")
    arch: Arch = Field("amd64", description="The guest's architecture")
    type: GuestType = Field("pv", description="Kind of Xen guest")
    memory: fields.SizeField = Field(description="What the guest runs with")
    install_memory: fields.SizeField | None = Field(None, description="While installing; memory, but at least 768M")
    max_memory: fields.SizeField | None = Field(
        None, description="How far `xl mem-set` can raise it while the guest runs; memory unless given"
    )
    vcpus: fields.Count = Field(1, ge=1, le=512, description="Virtual CPUs")
    max_vcpus: fields.Count | None = Field(
        None, ge=1, le=512, description="How far `xl vcpu-set` can raise them while the guest runs; vcpus unless given"
    )
    cpus: fields.CpuList = Field("", description="Host CPUs to run on, as xl takes them")
    cpu_weight: fields.Count | None = Field(
        None, ge=1, le=65535, description="Its share of busy CPUs against other guests; Xen's own is 256"
    )
    cpu_cap: fields.Count | None = Field(
        None, ge=1, description="It gets no more than this, in percent of one CPU: 150 is one and a half"
    )
    tsc_mode: TscMode | None = Field(
        None, description="How the guest reads the CPU's time stamp; Xen decides unless given"
    )
    media: Literal["netboot", "iso"] = Field("netboot", description="What the installer starts from")
    media_sources: tuple[MediaSource, ...] = Field(
        ("images", "package"),
        min_length=1,
        description="Netboot media from dists/ of the mirror, or from its debian-installer package; tried in order",
    )
    iso: Literal["auto"] | fields.SitePath | None = Field(
        None, description="For media: iso, a local installer ISO; auto: the suite's netinst from iso_mirror"
    )
    iso_sha256: fields.Sha256 | None = Field(
        None, description="Its SHA-256, as published and signed by Debian; with iso: auto it pins one"
    )
    iso_mirror: fields.Url | None = Field(
        None, description="For iso: auto, the folder of a CD image mirror with the ISO, SHA256SUMS and SHA256SUMS.sign"
    )
    iso_keyring: fields.SitePath = Field(
        "/usr/share/keyrings/debian-role-keys.gpg", description="Whose signature on SHA256SUMS counts"
    )
    uuid: fields.Uuid = Field("auto", description="The domain's UUID; auto derives one from the guest's name")
    vnc: Vnc | None = Field(None, description="The screen of an HVM guest over VNC; without it there is none")
    on_poweroff: ShutdownAction = Field("destroy", description="What becomes of the domain when the guest powers off")
    on_reboot: ShutdownAction = Field("restart", description="What becomes of it when the guest reboots")
    on_crash: CrashAction = Field("restart", description="What becomes of it when the guest crashes")
    autostart: fields.Flag = Field(default=False, description="xendomains starts it with dom0")
    start_after: tuple[fields.GuestName, ...] = Field((), description="Guests that xendomains starts before this one")
    domain: fields.Domain = Field("", description="The guest's DNS domain")
    dns: tuple[fields.Address, ...] = Field((), description="Name servers, for NICs without DHCP")
    nics: tuple[Nic, ...] = Field(min_length=1, description="Network interfaces; the first one installs")
    volume_group: fields.VolumeName = Field(description="dom0's volume group that holds the guest's volumes")
    thin_pool: fields.VolumeName | None = Field(
        None, description="The thin pool in it that the volumes are made in; thick volumes unless given"
    )
    thin_watermark: fields.Percent100 = Field(
        fields.Percent(80), description="No volume is made that fills data or metadata of the thin pool beyond this"
    )
    wipe: Literal["signatures", "discard", "zero"] = Field(
        "signatures",
        description="What of old data goes before a new volume is used: signatures of file systems, all that the disks "
        "discard, or certainly all, by writing zeros",
    )
    disk: Disk = Field(Disk(), description="The system disk")
    volumes: tuple[Volume, ...] = Field((), max_length=25, description="Data volumes: /dev/xvdb and on")
    dom0_path: fields.FilePath = Field(
        "/var/lib/domu", description="Folder on dom0 that holds the guest's artefacts, in a folder of its name"
    )
    locale: fields.Locale = Field("en_US.UTF-8", description="Language and country")
    keyboard: fields.Keyboard = Field("us", description="Keyboard layout")
    timezone: fields.TimeZone = Field("Etc/UTC", description="Time zone")
    ntp: fields.Flag = Field(default=True, description="The installer sets its clock by NTP")
    mirror: Literal["auto"] | fields.Url = Field("auto", description="auto: the one apt uses on this machine")
    keyring: fields.SitePath = Field(
        "/usr/share/keyrings/debian-archive-keyring.gpg", description="Whose signatures on the mirror's Release count"
    )
    components: tuple[fields.Component, ...] = Field(("main",), min_length=1, description="Of the archive")
    security: fields.Flag = Field(default=True, description="Security updates from the same mirror's debian-security")
    proxy: Literal["auto", "none"] | fields.Url = Field(
        "auto", description="apt-cacher: apt's own, else this machine's port 3142"
    )
    keep_proxy: fields.Flag = Field(default=False, description="The installer's proxy stays in the installed system")
    packages: tuple[fields.PackageName, ...] = Field((), description="Installed besides the tasks")
    tasks: tuple[fields.TaskName, ...] = Field(("standard",), description="tasksel's tasks")
    root: Root = Field(Root(), description="The account root")
    users: tuple[User, ...] = Field((), description="Logins in the installed system")
    ssh_keys: tuple[fields.SshKey, ...] = Field((), description="For root and for every user with sudo")
    ssh_host_keys: HostKeys = Field(HostKeys(), description="Private SSH host keys that rebuilds keep")
    bootloader: Literal["auto", "pvgrub", "pygrub", "pvhgrub", "direct", "firmware"] = Field(
        "auto", description="How dom0 starts the installed guest"
    )
    dom0_reads_disk: fields.Flag = Field(
        default=False, description="dom0 may read the guest's file systems to start it, as bootloader: pygrub does"
    )
    kernel_args: tuple[fields.KernelArgument, ...] = Field((), description="For the installed system's kernel")
    early_commands: tuple[fields.Shell, ...] = Field((), description="Run when the installer starts")
    late_commands: tuple[LateCommand, ...] = Field((), description="Run when the installer ends")
    initrd_files: tuple[InitrdFile, ...] = Field((), description="Files to carry into the installer")
    debconf: tuple[Answer, ...] = Field((), description="More answers; they win over the template's")
    ready: Ready = Field(Ready(), description="How a rebuild knows that the guest is up again")
    after: tuple[Hook, ...] = Field((), description="Run by a rebuild in dom0 when the guest is up again, in order")
    template: fields.TemplateName = Field("preseed.cfg.j2", description="The preseed's template, in preseeds/")
    lint: Lint = Field(Lint(), description="For the linter, which checks the preseed")

    @cached_property
    def macs(self) -> tuple[str, ...]:
        """One per NIC, in order; `auto` derived from the guest's name and the NIC's number."""
        return tuple(
            derived_mac(self.name, number) if nic.mac == "auto" else nic.mac for number, nic in enumerate(self.nics)
        )

    @property
    def domain_uuid(self) -> str:
        """The UUID of the guest's domain: by it, not by its name alone, dom0 knows a domain as this guest's."""
        return derived_uuid(self.name) if self.uuid == "auto" else self.uuid

    @property
    def memory_for_install(self) -> Size:
        """What the install config gives: the installer stops at a question with less."""
        return self.install_memory or max(self.memory, LEAST_INSTALL_MEMORY)

    @property
    def disk_volume(self) -> str:
        """Name of the system disk's volume in `volume_group`."""
        return self.disk.volume or f"{self.name}-disk"

    def volume_name(self, volume: Volume) -> str:
        """Name of a data volume in `volume_group`."""
        return volume.volume or f"{self.name}-{volume.name}"

    def pool_of(self, volume: Disk | Volume) -> str:
        """The thin pool that this volume is made in; empty for a thick one."""
        wanted = volume.thin if volume.thin is not None else True
        return (self.thin_pool or "") if wanted else ""

    @property
    def disk_device(self) -> str:
        """The system disk as installer and guest see it; an HVM guest's hda becomes xvda, too."""
        return "/dev/xvda"

    def volume_device(self, volume: Volume) -> str:
        """A data volume as the guest sees it: /dev/xvdb and on, in the profile's order."""
        return f"/dev/xvd{_LETTERS[1 + self.volumes.index(volume)]}"

    @property
    def label(self) -> Literal["msdos", "gpt"]:
        """The partition table's kind; d-i's own default on small disks is msdos."""
        return self.disk.label or "msdos"

    @property
    def fqdn(self) -> str:
        """Name with domain, when there is one."""
        return f"{self.name}.{self.domain}" if self.domain else self.name

    @cached_property
    def login_keys(self) -> dict[str, tuple[str, ...]]:
        """SSH keys by account, each once, in order; `ssh_keys` are root's and every sudoer's."""
        own = {"root": self.root.ssh_keys, **{user.name: user.ssh_keys for user in self.users}}
        shared = {"root", *(user.name for user in self.users if user.sudo)}
        keys = {name: (*given, *(self.ssh_keys if name in shared else ())) for name, given in own.items()}
        return {name: tuple(dict.fromkeys(found)) for name, found in keys.items() if found}

    def secrets(self) -> dict[str, SecretSource | KeySource]:
        """Every secret source, by the path of its field, as in `users.admin.password`."""
        found: dict[str, SecretSource | KeySource] = {
            f"users.{user.name}.password": user.password for user in self.users if user.password
        }
        found |= {"root.password": self.root.password} if self.root.password else {}
        return found | self.host_key_sources()

    def host_key_sources(self) -> dict[str, KeySource]:
        """Those of the SSH host keys alone, as in `ssh_host_keys.ed25519`."""
        return {f"ssh_host_keys.{kind}": source for kind, source in self.ssh_host_keys.sources.items()}


def derived_uuid(guest: str) -> str:
    """A stable UUID of version 5, from the guest's name."""
    return str(uuid5(_UUIDS, guest))


def derived_mac(guest: str, number: int) -> str:
    """A stable MAC in Xen's OUI for NIC `number` of a guest: three bytes of a SHA-256 of both."""
    digest = hashlib.sha256(f"{guest}/{number}".encode()).hexdigest()
    return ":".join(["00:16:3e", digest[0:2], digest[2:4], digest[4:6]])


def models_by_path(top: type[Model] = Guest) -> dict[tuple[str, ...], type[Model]]:
    """Every model below `top` by the keys that lead to it, as in ("nics", "ipv4"); list positions are left out."""
    found: dict[tuple[str, ...], type[Model]] = {}

    def walk(path: tuple[str, ...], annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, Model):
            found[path] = annotation
            for name, field in annotation.model_fields.items():
                walk((*path, name), field.annotation)
        for part in get_args(annotation):
            walk(path, part)

    walk((), top)
    return found
