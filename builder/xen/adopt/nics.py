"""What an xl config, the installer's answers and dom0.yaml say of a guest's NICs."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from builder.profile.fields import HOST_LABEL
from builder.profile.model import derived_mac
from builder.xen.adopt.evidence import Ledger, fits, require
from builder.xen.network.vif import vif_name
from builder.xen.xlcfg import Setting
from builder.xen.xldevices import NicSpec, parse_nic

_BRIDGE = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_RATE = re.compile(r"([1-9][0-9]{0,3}[KMG][Bb]/s)(?:@.*)?", re.ASCII)
_MAC = re.compile(r"[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
# What domu writes by itself where it is needed.
_DOMUS = frozenset({"mac", "bridge", "script", "ip", "gatewaydev", "netdev", "vifname", "type", "rate"})


def adopt_nics(ledger: Ledger) -> None:
    """The row `nics`, and those that the first NIC's answers tell. BuilderError where a NIC cannot be made of them."""
    setting = ledger.setting("vif")
    if setting is None or not setting.texts:
        require("", "the config has no vif, and a guest is installed over the network", "add a vif to it")
        return
    gaps: list[str] = []
    nics = []
    for number, text in enumerate(setting.texts):
        try:
            spec = parse_nic(text)
        except ValueError as error:
            require(
                "", f"vif {text!a} is not understood: {error}", f"line {setting.line} of {ledger.evidence.config.file}"
            )
            return
        nic, told = _nic(ledger, setting, spec, number)
        nics.append(nic)
        gaps += [f"NIC {number + 1}: {gap}" for gap in told]
    ledger.know("nics", nics, "vif of the xl config", gaps=tuple(gaps))
    dns = [_address(one) for one in _answer(ledger, "netcfg/get_nameservers").split()]
    if dns and all(dns):
        ledger.know("dns", dns, "netcfg/get_nameservers")
    domain = _answer(ledger, "netcfg/get_domain")
    if fits(rf"{HOST_LABEL}(?:\.{HOST_LABEL})*", domain, 253):
        ledger.know("domain", domain, "netcfg/get_domain")


def _nic(ledger: Ledger, setting: Setting, spec: NicSpec, number: int) -> tuple[dict[str, Any], list[str]]:
    name, gaps = ledger.evidence.name, list[str]()
    script = spec.get("script").rpartition("/")[2]
    nic: dict[str, Any] = {}
    if script == "vif-route":
        nic["mode"] = "routed"
    else:
        _bridged(ledger, spec, script, nic, gaps)
    mac = spec.get("mac").lower()
    if mac and not _MAC.fullmatch(mac):
        require("", f"{mac!a} is no MAC address of a guest", f"line {setting.line} of {ledger.evidence.config.file}")
    if mac:
        nic["mac"] = "auto" if mac == derived_mac(name, number) else mac
    else:
        gaps.append("xl made up a MAC address at each start; now it has a lasting one")
    if rate := spec.get("rate"):
        kept = _RATE.fullmatch(rate)
        if kept:
            nic["rate"] = kept[1]
        else:
            gaps.append(f"rate={rate} has no field")
    lost = [key for key in spec.values if key not in _DOMUS]
    lost += ["vifname"] if spec.get("vifname") not in {"", vif_name(name, number)} else []
    lost += ["script"] if script not in {"", "vif-bridge", "vif-route", "vif-openvswitch"} else []
    for key in lost:
        ledger.lose(setting, f"{key}={spec.get(key)} of vif {number + 1} has no field", code="A104")
    _addresses(ledger, spec, number, nic, gaps)
    return nic, gaps


def _bridged(ledger: Ledger, spec: NicSpec, script: str, nic: dict[str, Any], gaps: list[str]) -> None:
    bridge, tag = spec.get("bridge"), ""
    if script == "vif-openvswitch" and (found := re.fullmatch(r"(.+)\.([0-9]{1,4})", bridge)):
        bridge, tag = found[1], found[2]
    if not bridge:
        bridge = "xenbr0"
        gaps.append("the config names no bridge; xenbr0 is xl's own choice (vif.default.bridge in xl.conf)")
    if not fits(_BRIDGE, bridge, 15):
        require("", f"{bridge!a} is no bridge's name", "correct the vif")
    behind_nat = any(one.name == bridge and one.mode == "nat" for one in ledger.evidence.dom0.networks)
    nic |= {"mode": "nat" if behind_nat else "bridge", "bridge": bridge}
    if tag and 1 <= int(tag) <= 4094:
        nic["vlan"] = int(tag)
    if not any(one.name == bridge for one in ledger.evidence.dom0.networks):
        gaps.append("whether its bridge leads outside or behind NAT is for dom0.yaml to say")


def _addresses(ledger: Ledger, spec: NicSpec, number: int, nic: dict[str, Any], gaps: list[str]) -> None:
    routed = nic["mode"] == "routed"
    given = spec.get("ip").split()
    own = _installed_address(ledger) if number == 0 else {}
    if routed:
        addresses = filter(None, (_address(one.partition("/")[0]) for one in given))
        address = next((one for one in addresses if ":" not in one), "")
        require(address, f"vif {number + 1} is routed and has no IPv4 address", "write ip= into the vif")
        nic["ipv4"] = {"address": f"{address}/32"}
        if gateway := _address(ledger.evidence.gateway) or _fixed(own).get("gateway", ""):
            nic["ipv4"]["gateway"] = gateway
        elif any(one.mode == "routed" for one in ledger.evidence.dom0.networks):
            gaps.append("its gateway is the one that dom0.yaml says")
        else:
            require("", f"the gateway of the routed NIC {number + 1} is told nowhere", "name it: --gateway 192.0.2.1")
        gaps.append("its IPv6 is told nowhere")
        return
    if own:
        nic |= own
        gaps.append("its IPv6 is told nowhere" if _fixed(own) else "it has IPv6 only, as far as is told")
    elif number == 0 and ledger.evidence.answers is not None:
        nic["ipv4"] = "dhcp"
    elif given:
        gaps.append(f"the config says ip={' '.join(given)}; give it with prefix length and gateway")
    else:
        gaps.append("how the guest gets its address is not seen from dom0; DHCP is assumed")


def _installed_address(ledger: Ledger) -> dict[str, Any]:
    """The fixed address that netcfg was given, as ipv4 or ipv6 of a NIC."""
    address = _answer(ledger, "netcfg/get_ipaddress").strip()
    if not address or _answer(ledger, "netcfg/disable_autoconfig") == "false":
        return {}
    try:
        if "/" not in address:
            address += f"/{ip_network('0.0.0.0/' + _answer(ledger, 'netcfg/get_netmask')).prefixlen}"
        interface = ip_interface(address)
    except ValueError:
        return {}
    static = {"address": str(interface)}
    gateway = _address(_answer(ledger, "netcfg/get_gateway"))
    if gateway and ip_address(gateway).version == interface.version:
        static["gateway"] = gateway
    return {"ipv4": static} if interface.version == 4 else {"ipv4": "none", "ipv6": static}


def _address(text: str) -> str:
    """The address as it is written shortest; nothing where it is none, or names an interface."""
    try:
        return str(ip_address(text)) if "%" not in text else ""
    except ValueError:
        return ""


def _fixed(own: dict[str, Any]) -> dict[str, str]:
    """The IPv4 part, when there is one."""
    ipv4 = own.get("ipv4")
    return ipv4 if isinstance(ipv4, dict) else {}


def _answer(ledger: Ledger, question: str) -> str:
    return (ledger.evidence.answers or {}).get(question, "")
