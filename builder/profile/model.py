"""The model of a guest: what a profile says once it is read, merged and found sound. Frozen and typed."""

from __future__ import annotations

import hashlib
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from builder.profile import fields
from builder.secret import Secret
from builder.units import Size

Suite = Literal["bookworm", "trixie"]
Arch = Literal["amd64", "arm64"]
GuestType = Literal["pv", "pvh", "hvm"]
MediaSource = Literal["images", "package"]
Filesystem = Literal["ext2", "ext3", "ext4", "xfs", "btrfs"]
# Suffixes of vdev names, in order; xl takes more, no guest here needs more than 25 data volumes.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# d-i shows lowmem/low at 512 MiB even at priority critical; measured on trixie under Xen 4.17.
LEAST_INSTALL_MEMORY = Size.parse("768M")


class Model(BaseModel):
    """Unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)


def _parse_hash(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str) and fields.CRYPT_HASH.fullmatch(value):
        return Secret(value)
    raise PydanticCustomError(
        "secret", "is not a yescrypt ($y$) or SHA-512 ($6$) crypt hash; make one with: domu passwd"
    )


SecretField = Annotated[
    Secret,
    GetPydanticSchema(lambda _source, _handler: core_schema.no_info_plain_validator_function(_parse_hash)),
    PlainSerializer(repr),
    Field(json_schema_extra={"type": "string", "pattern": r"^\$(y|6)\$"}),
]


class SecretSource(Model):
    """Where a crypt hash comes from: given directly, or by file, environment variable or command."""

    hash: SecretField | None = None
    file: fields.SitePath | None = Field(None, description="A file whose first line is the hash; relative to the site")
    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        None, description="An environment variable that holds the hash"
    )
    command: tuple[fields.Text, ...] | None = Field(
        None, description="A program and its arguments that print the hash, as in [pass, show, guests/web1/root]"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, Secret | str):
            return {"hash": _parse_hash(value)}
        if not isinstance(value, dict | SecretSource):
            raise PydanticCustomError("secret", "is not a crypt hash; make one with: domu passwd")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("hash", "file", "env", "command") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("needs exactly one of hash, file, env and command")
        return self


class User(Model):
    """A login in the installed system."""

    name: fields.UserName
    full_name: Annotated[fields.Text, Field(pattern=r"^[^:,]*$")] = ""
    password: SecretSource | None = Field(None, description="A crypt hash; without one, only SSH keys log in")
    ssh_keys: tuple[fields.SshKey, ...] = ()
    sudo: bool = Field(default=False, description="Member of the group sudo")


class Root(Model):
    """The account root: without a password its login is locked; SSH keys work all the same."""

    password: SecretSource | None = None
    ssh_keys: tuple[fields.SshKey, ...] = ()


class Static4(Model):
    """A fixed IPv4 address; a /32 has its gateway outside, as routed guests do."""

    address: Annotated[fields.Interface4, BeforeValidator(fields.with_prefix)]
    gateway: IPv4Address | None = None


class Static6(Model):
    """A fixed IPv6 address."""

    address: Annotated[fields.Interface6, BeforeValidator(fields.with_prefix)]
    gateway: IPv6Address | None = None


class Nic(Model):
    """A vif and what the guest makes of it."""

    mode: Literal["bridge", "routed", "nat"] = "bridge"
    bridge: fields.BridgeName | None = Field(None, description="The dom0 bridge, for the modes bridge and nat")
    mac: fields.Mac = Field("auto", description="auto derives one from the guest's name, in Xen's 00:16:3e")
    ipv4: Literal["dhcp", "none"] | Static4 = "dhcp"
    ipv6: Literal["auto", "none"] | Static6 = "auto"

    @model_validator(mode="after")
    def _mode_agrees(self) -> Self:
        if self.mode == "routed" and self.bridge:
            raise ValueError("a routed vif has no bridge; remove bridge or write mode: bridge")
        if self.mode != "routed" and not self.bridge:
            raise ValueError(f"mode {self.mode} needs bridge: the dom0 bridge's name, as in xenbr0")
        if self.mode == "routed" and not isinstance(self.ipv4, Static4):
            raise ValueError("mode routed needs ipv4: {address: ..., gateway: ...}; no DHCP crosses a routed vif")
        return self


class Partition(Model):
    """One line of a partman recipe; sizes may be a percentage of the guest's memory."""

    mount: fields.AbsolutePath | Literal["swap"]
    filesystem: Filesystem | Literal["swap"] = "ext4"
    minimum: fields.SizeOrPercent
    priority: fields.SizeOrPercent | None = Field(None, description="partman's priority: who gets the space beyond")
    maximum: fields.SizeOrPercent | Literal["unlimited"] = "unlimited"
    primary: bool | None = Field(None, description="msdos only; the partition of / unless given")
    name: fields.VolumeName | None = Field(None, description="With method lvm, the name of its volume in the guest")

    @model_validator(mode="before")
    @classmethod
    def _swap_is_swap(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("mount") == "swap":
            return {"filesystem": "swap", **value}
        return value

    @model_validator(mode="after")
    def _swap_agrees(self) -> Self:
        if (self.mount == "swap") != (self.filesystem == "swap"):
            raise ValueError("mount: swap and filesystem: swap go together")
        return self


class Disk(Model):
    """The guest's system disk: one volume in dom0, partitioned by partman."""

    volume: fields.VolumeName | None = Field(None, description="The volume's name; NAME-disk unless given")
    size: Literal["auto"] | fields.SizeField = Field(
        "auto", description="auto: the least that the recipe needs + headroom"
    )
    headroom: fields.SizeOrPercent = Field(fields.Percent(20), description="Added to the least size by size: auto")
    label: Literal["msdos", "gpt"] | None = Field(
        None, description="gpt for PVH and HVM booting by UEFI; msdos unless given"
    )
    method: Literal["regular", "lvm"] = "regular"
    recipe: Literal["atomic", "home", "multi", "server", "small_disk"] | None = None
    partitions: tuple[Partition, ...] = ()

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        if self.recipe and self.partitions:
            raise ValueError("has both recipe and partitions; keep one")
        if self.partitions and "/" not in {partition.mount for partition in self.partitions}:
            raise ValueError("partitions name none with mount: /")
        mounts = [partition.mount for partition in self.partitions if partition.mount != "swap"]
        if twice := sorted({mount for mount in mounts if mounts.count(mount) > 1}):
            raise ValueError(f"partitions mount {', '.join(twice)} twice")
        return self


class Volume(Model):
    """A data volume. It is never attached while the installer runs, so no installer can touch it."""

    name: fields.VolumeName = Field(description="The volume is called GUEST-NAME")
    size: fields.SizeField
    keep: bool = Field(default=True, description="Survives every rebuild; false: made anew each time")
    mount: fields.AbsolutePath | None = None
    filesystem: Literal["ext4", "xfs"] = "ext4"


class InitrdFile(Model):
    """A file of the site that travels in the initrd, for early and late commands."""

    source: fields.SitePath = Field(description="Relative to the site")
    path: Annotated[fields.AbsolutePath, Field(pattern=r"^/.+")] = Field(description="Where it is in the installer")
    executable: bool = False


class Answer(Model):
    """One more debconf answer; `owner` d-i for the installer's questions, else the package."""

    owner: fields.PackageName = "d-i"
    question: fields.Question
    type: Literal["string", "boolean", "select", "multiselect", "note", "text"] = "string"
    value: fields.Text | bool | int = ""


class LateCommand(Model):
    """A shell command at the end of the installation."""

    run: fields.Shell
    where: Literal["installer", "target"] = Field("installer", description="target: inside the installed system")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"run": value} if isinstance(value, str) else value


class Guest(Model):
    """A guest, resolved: site, layers and its own profile merged, every value checked."""

    name: fields.GuestName = Field(description="From the file's name")
    description: fields.Text = ""
    suite: Suite
    arch: Arch = "amd64"
    type: GuestType = "pv"
    memory: fields.SizeField
    install_memory: fields.SizeField | None = Field(None, description="While installing; memory, but at least 768M")
    vcpus: int = Field(1, ge=1, le=512)
    cpus: Annotated[str, Field(pattern=r"^(all|[0-9^,-]+)?$")] = Field(
        "", description="Host CPUs to run on, as xl takes them"
    )
    media: Literal["netboot", "iso"] = "netboot"
    media_sources: tuple[MediaSource, ...] = Field(
        ("images", "package"), min_length=1, description="Tried in this order"
    )
    iso: fields.SitePath | None = Field(None, description="A local installer ISO, for media: iso")
    iso_sha256: fields.Sha256 | None = Field(None, description="Its SHA-256, as published and signed by Debian")
    domain: fields.Domain = ""
    dns: tuple[IPv4Address | IPv6Address, ...] = ()
    nics: tuple[Nic, ...] = Field(min_length=1)
    volume_group: fields.VolumeName
    disk: Disk = Disk()
    volumes: tuple[Volume, ...] = Field((), max_length=25)
    locale: fields.Locale = "en_US.UTF-8"
    keyboard: fields.Keyboard = "us"
    timezone: fields.TimeZone = "Etc/UTC"
    ntp: bool = True
    mirror: Literal["auto"] | fields.Url = Field("auto", description="auto: the one apt uses on this machine")
    components: tuple[fields.Component, ...] = Field(("main",), min_length=1)
    security: bool = Field(default=True, description="Security updates from the same mirror's debian-security")
    proxy: Literal["auto", "none"] | fields.Url = Field(
        "auto", description="apt-cacher: apt's own, else this machine's port 3142"
    )
    keep_proxy: bool = Field(default=False, description="The installer's proxy stays in the installed system")
    packages: tuple[fields.PackageName, ...] = ()
    tasks: tuple[fields.TaskName, ...] = ("standard",)
    root: Root = Root()
    users: tuple[User, ...] = ()
    ssh_keys: tuple[fields.SshKey, ...] = Field((), description="For root and for every user with sudo")
    bootloader: Literal["auto", "pvgrub", "pygrub", "pvhgrub", "direct", "firmware"] = "auto"
    kernel_args: tuple[fields.KernelArgument, ...] = ()
    early_commands: tuple[fields.Shell, ...] = ()
    late_commands: tuple[LateCommand, ...] = ()
    initrd_files: tuple[InitrdFile, ...] = ()
    debconf: tuple[Answer, ...] = ()
    template: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.j2$")] = "preseed.cfg.j2"

    @field_validator("nics", mode="after")
    @classmethod
    def _one_default_route(cls, nics: tuple[Nic, ...]) -> tuple[Nic, ...]:
        gateways = [nic for nic in nics if isinstance(nic.ipv4, Static4) and nic.ipv4.gateway]
        if len(gateways) > 1:
            raise ValueError("more than one NIC has an IPv4 gateway; keep the one of the default route")
        return nics

    @cached_property
    def macs(self) -> tuple[str, ...]:
        """One per NIC, in order; `auto` derived from the guest's name and the NIC's number."""
        return tuple(
            derived_mac(self.name, number) if nic.mac == "auto" else nic.mac for number, nic in enumerate(self.nics)
        )

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
        return f"{self.name}-{volume.name}"

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

    def secrets(self) -> dict[str, SecretSource]:
        """Every secret source, by the path of its field, as in `users.admin.password`."""
        found = {f"users.{user.name}.password": user.password for user in self.users if user.password}
        return found | ({"root.password": self.root.password} if self.root.password else {})


def derived_mac(guest: str, number: int) -> str:
    """A stable MAC in Xen's OUI for NIC `number` of a guest: three bytes of a SHA-256 of both."""
    digest = hashlib.sha256(f"{guest}/{number}".encode()).hexdigest()
    return ":".join(["00:16:3e", digest[0:2], digest[2:4], digest[4:6]])
