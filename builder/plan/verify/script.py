"""The one fixed script that a guest is asked with: it goes to `sh -s` on standard input, reads, and changes nothing.

It prints `domu-facts 1`, for each section `[NAME STATUS` and its lines behind a blank, and `domu-facts end`. No word of
a profile is in it, and no secret leaves the guest: of passwords it tells the kind, of keys the fingerprints.
"""

from __future__ import annotations

BEGIN, END = "domu-facts 1", "domu-facts end"
# In the order in which they are read; each has a function read_NAME below, and a reader in facts.py.
SECTIONS = (
    "kernel",
    "system",
    "hypervisor",
    "drivers",
    "memory",
    "vcpus",
    "disks",
    "mounts",
    "swaps",
    "entries",
    "addresses",
    "routes4",
    "routes6",
    "resolver",
    "names",
    "timezone",
    "locale",
    "accounts",
    "passwords",
    "sudoers",
    "keys",
    "packages",
    "arguments",
    "boot",
    "hostkeys",
    "late",
    "units",
)
# Everything is inside main, so that a script which was cut off on its way does nothing. Nothing reads standard input,
# which is the script itself. What may hang (name services, dead file systems) has a time limit.
_SCRIPT = r"""# Sent by domu verify; reads only.
section() {
    out=$("read_$1" 2>/dev/null </dev/null)
    status=$?
    printf '[%s %s\n' "$1" "$status"
    [ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/ /'
}

read_kernel() { uname -s -r -m; }

read_system() {
    sed -n 's/^VERSION_CODENAME="\{0,1\}\([^"]*\)"\{0,1\}$/suite=\1/p' /etc/os-release
    printf 'arch=%s\n' "$(dpkg --print-architecture)"
}

read_hypervisor() {
    for name in type guest_type uuid; do
        [ ! -r "/sys/hypervisor/$name" ] || printf '%s=%s\n' "$name" "$(head -c 200 "/sys/hypervisor/$name")"
    done
}

read_drivers() {
    for device in /sys/class/net/* /sys/block/*; do
        [ -e "$device/device" ] || continue
        link=$(readlink "$device/device/driver") || link=none
        printf '%s %s\n' "${device##*/}" "${link##*/}"
    done
}

read_memory() { sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo; }

read_vcpus() { cat /sys/devices/system/cpu/online; }

read_disks() {
    for disk in /sys/block/xvd* /sys/block/sd* /sys/block/hd* /sys/block/vd*; do
        [ -r "$disk/size" ] || continue
        table=$(timeout 60 blkid -p -s PTTYPE -o value "/dev/${disk##*/}")
        printf 'disk %s %s %s\n' "${disk##*/}" "$(cat "$disk/size")" "${table:--}"
        for part in "$disk/${disk##*/}"*; do
            [ ! -r "$part/size" ] || printf 'part %s %s %s\n' "${part##*/}" "$(cat "$part/size")" "${disk##*/}"
        done
    done
}

read_mounts() { head -c 262144 /proc/self/mountinfo; }

read_swaps() { head -c 65536 /proc/swaps; }

# How many things are in the root of each file system on a disk, lost+found apart, up to a thousand.
read_entries() {
    awk '$(NF - 1) ~ "^/dev/" && $4 == "/" { print $5 }' /proc/self/mountinfo | head -n 64 |
        while read -r point; do
            count=$(timeout 60 find "$(printf '%b' "$point")" -xdev -mindepth 1 -maxdepth 1 \
                ! -name lost+found -printf x | head -c 1000 | wc -c)
            printf '%s %s\n' "$count" "$point"
        done
}

read_addresses() { timeout 60 ip -json address show; }

read_routes4() { timeout 60 ip -json -4 route show default; }

read_routes6() { timeout 60 ip -json -6 route show default; }

read_resolver() { sed -n 's/^nameserver[[:blank:]]*//p' /etc/resolv.conf | head -n 16; }

read_names() {
    printf 'host=%s\n' "$(hostname)"
    printf 'fqdn=%s\n' "$(timeout 60 hostname --fqdn)"
}

read_timezone() { readlink /etc/localtime || cat /etc/timezone; }

read_locale() {
    for file in /etc/default/locale /etc/locale.conf; do
        [ ! -r "$file" ] || { sed -n 's/^LANG="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$file"; return; }
    done
}

people() { timeout 60 getent passwd | awk -F: '$3 == 0 || ($3 >= 1000 && $3 < 60000)' | head -n 1000; }

read_accounts() { people | cut -d: -f1,3,6,7; }

# Never the hash: none, locked, or that there is one.
read_passwords() {
    timeout 60 getent shadow |
        awk -F: '{ kind = "set"; if ($2 == "") kind = "none"; if ($2 ~ /^[!*]/) kind = "locked"; print $1 ":" kind }' |
        head -n 10000
}

read_sudoers() { timeout 60 getent group sudo | cut -d: -f4 | tr , '\n'; }

read_keys() {
    people | while IFS=: read -r name _ _ _ _ home _; do
        for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
            [ -s "$file" ] || continue
            head -c 262144 "$file" | timeout 60 ssh-keygen -l -f - | awk -v name="$name" '{ print name, $2 }'
        done
    done
}

read_packages() { timeout 60 dpkg-query -W -f '${db:Status-Abbrev}:${Package} ${Version}\n' | sed 's/ *:/ /'; }

read_arguments() { cat /proc/cmdline; }

read_boot() {
    for image in /boot/vmlinuz-*; do
        [ ! -e "$image" ] || printf 'kernel %s\n' "${image#/boot/vmlinuz-}"
    done
    for image in /boot/xen/vmlinuz-*; do
        [ -e "$image" ] || continue
        timeout 60 grub-file --is-x86_64-xen-domu "$image" && word=ready || word=unfit
        printf '%s %s\n' "$word" "${image#/boot/xen/vmlinuz-}"
    done
    for file in /etc/kernel/postinst.d/domu-pv-kernel /etc/kernel/postrm.d/domu-pv-kernel /etc/grub.d/09_domu_pv; do
        [ ! -x "$file" ] || printf 'hook %s\n' "$file"
    done
    [ ! -e /boot/xen/pvboot-x86_64.elf ] || printf 'core pvboot-x86_64.elf\n'
    sed -n 's/.*[[:blank:]][^[:blank:]]*\/xen\/vmlinuz-\([^[:blank:]]*\).*/menu \1/p' /boot/grub/grub.cfg | sort -u
    :
}

# sshd -T tells which of them sshd uses; where it will not, all count.
read_hostkeys() {
    used=$(timeout 60 sshd -T | sed -n 's/^hostkey //p')
    for file in /etc/ssh/ssh_host_*_key; do
        [ -e "$file" ] || continue
        public=$(timeout 60 ssh-keygen -l -f "$file.pub" | awk '{ print $2 }')
        word=used
        [ -z "$used" ] || printf '%s\n' "$used" | grep -qxF "$file" || word=spare
        printf '%s %s %s %s\n' "$(stat -c '%a %u' "$file")" "${public:--}" "$word" "$file"
    done
}

read_late() {
    if [ -e /var/log/domu-late.log ]; then
        printf 'steps %s\n' "$(grep -c '^== ' /var/log/domu-late.log)"
        sed -n 's/^== \(.*\) failed with status \([0-9]*\)$/failed \2 \1/p' /var/log/domu-late.log | head -n 100
    else
        printf 'no log\n'
    fi
}

# A system that is still starting is waited for; its units may fail yet.
read_units() {
    printf 'state %s\n' "$(timeout 90 systemctl is-system-running --wait)"
    timeout 60 systemctl list-units --failed --plain --no-legend --no-pager --full | awk '{ print "failed " $1 }' |
        head -n 200
}

main() {
    LC_ALL=C.UTF-8
    PATH=/usr/sbin:/usr/bin:/sbin:/bin
    export LC_ALL PATH
    printf '%s\n' 'BEGIN'
    for name in SECTIONS; do
        section "$name"
    done
    printf '%s\n' 'END'
}
main
"""
SCRIPT = _SCRIPT.replace("'BEGIN'", f"'{BEGIN}'").replace("'END'", f"'{END}'").replace("SECTIONS", " ".join(SECTIONS))
