#!/bin/sh
# Made by `domu network plan --iptables`. Run as root, it replaces the rules in chains DOMU-* and no others.
# Bridged guests are not kept apart, nor from forging addresses: iptables does not see their frames.
set -eu

jump() {
    program=$1 table=$2 from=$3 to=$4
    "$program" --wait --table "$table" --check "$from" --jump "$to" 2>/dev/null ||
        "$program" --wait --table "$table" --insert "$from" --jump "$to"
}

iptables-restore --wait --noflush <<'END'
*raw
:DOMU-GUESTS - [0:0]
-A DOMU-GUESTS --in-interface edge1.0 --match mac ! --mac-source 00:16:3e:b4:b7:70 --jump DROP
-A DOMU-GUESTS --in-interface edge1.0 --source 203.0.113.1 --jump RETURN
-A DOMU-GUESTS --in-interface edge1.0 --jump DROP
COMMIT
*nat
:DOMU-PASSED - [0:0]
:DOMU-OUTSIDE - [0:0]
-A DOMU-PASSED --destination 203.0.113.10 --protocol tcp --dport 80 --jump DNAT --to-destination 10.0.0.5
-A DOMU-PASSED --destination 203.0.113.10 --protocol tcp --dport 443 --jump DNAT --to-destination 10.0.0.5
-A DOMU-PASSED --destination 203.0.113.10 --protocol tcp --dport 8000:8010 --jump DNAT --to-destination 10.0.0.5
-A DOMU-PASSED --destination 203.0.113.11 --jump DNAT --to-destination 10.0.0.6
-A DOMU-OUTSIDE --source 10.0.0.0/24 --destination 10.0.0.0/24 --match conntrack --ctstate DNAT --jump MASQUERADE
-A DOMU-OUTSIDE --source 10.0.0.6 --out-interface xenbr0 --jump SNAT --to-source 203.0.113.11
-A DOMU-OUTSIDE --source 10.0.0.0/24 --out-interface xenbr0 --jump MASQUERADE
COMMIT
*filter
:DOMU-FORWARD - [0:0]
-A DOMU-FORWARD --in-interface edge1.0 ! --out-interface xenbr0 --jump DROP
-A DOMU-FORWARD --out-interface edge1.0 ! --in-interface xenbr0 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 10.0.0.5 --jump DROP
-A DOMU-FORWARD --source 10.0.0.5 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 192.0.2.130 --jump DROP
-A DOMU-FORWARD --source 192.0.2.130 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 10.0.0.5 --jump DROP
-A DOMU-FORWARD --source 10.0.0.5 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 192.0.2.130 --jump DROP
-A DOMU-FORWARD --source 192.0.2.130 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 10.0.0.5 --jump DROP
-A DOMU-FORWARD --source 10.0.0.5 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 10.0.0.6 --jump DROP
-A DOMU-FORWARD --source 10.0.0.6 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 192.0.2.10 --jump DROP
-A DOMU-FORWARD --source 192.0.2.10 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 192.0.2.130 --jump DROP
-A DOMU-FORWARD --source 192.0.2.130 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --source 203.0.113.1 --destination 203.0.113.1 --jump DROP
-A DOMU-FORWARD --out-interface natbr0 --match conntrack --ctstate ESTABLISHED,RELATED --jump ACCEPT
-A DOMU-FORWARD --out-interface natbr0 --match conntrack --ctstate DNAT --jump ACCEPT
-A DOMU-FORWARD --out-interface natbr0 --jump DROP
COMMIT
END
jump iptables raw PREROUTING DOMU-GUESTS
jump iptables nat PREROUTING DOMU-PASSED
jump iptables nat OUTPUT DOMU-PASSED
jump iptables nat POSTROUTING DOMU-OUTSIDE
jump iptables filter FORWARD DOMU-FORWARD

ip6tables-restore --wait --noflush <<'END'
*raw
:DOMU-GUESTS - [0:0]
-A DOMU-GUESTS --in-interface edge1.0 --match mac ! --mac-source 00:16:3e:b4:b7:70 --jump DROP
-A DOMU-GUESTS --in-interface edge1.0 --source 2001:db8:7::1 --jump RETURN
-A DOMU-GUESTS --in-interface edge1.0 --source fe80::216:3eff:feb4:b770 --jump RETURN
-A DOMU-GUESTS --in-interface edge1.0 --jump DROP
COMMIT
*nat
:DOMU-PASSED - [0:0]
:DOMU-OUTSIDE - [0:0]
-A DOMU-PASSED --destination 2001:db8:51::5 --protocol udp --dport 53 --jump DNAT --to-destination [fd00::5]:5353
-A DOMU-OUTSIDE --source fd00::/64 --destination fd00::/64 --match conntrack --ctstate DNAT --jump MASQUERADE
-A DOMU-OUTSIDE --source fd00::/64 --out-interface xenbr0 --jump MASQUERADE
COMMIT
*filter
:DOMU-FORWARD - [0:0]
-A DOMU-FORWARD --in-interface edge1.0 ! --out-interface xenbr0 --jump DROP
-A DOMU-FORWARD --out-interface edge1.0 ! --in-interface xenbr0 --jump DROP
-A DOMU-FORWARD --source 2001:db8:7::1 --destination 2001:db8:7::1 --jump DROP
-A DOMU-FORWARD --source 2001:db8:7::1 --destination 2001:db8:7::1 --jump DROP
-A DOMU-FORWARD --source 2001:db8:7::1 --destination fd00::5 --jump DROP
-A DOMU-FORWARD --source fd00::5 --destination 2001:db8:7::1 --jump DROP
-A DOMU-FORWARD --out-interface natbr0 --match conntrack --ctstate ESTABLISHED,RELATED --jump ACCEPT
-A DOMU-FORWARD --out-interface natbr0 --match conntrack --ctstate DNAT --jump ACCEPT
-A DOMU-FORWARD --out-interface natbr0 --jump DROP
COMMIT
END
jump ip6tables raw PREROUTING DOMU-GUESTS
jump ip6tables nat PREROUTING DOMU-PASSED
jump ip6tables nat OUTPUT DOMU-PASSED
jump ip6tables nat POSTROUTING DOMU-OUTSIDE
jump ip6tables filter FORWARD DOMU-FORWARD
