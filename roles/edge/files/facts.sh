# What the role asks of a host about HAProxy, as YAML. In, separated by blanks: PORTS, and PACKAGES, each PACKAGE=FILE.
exec 2>/dev/null
echo '--- look'
echo "version: \"$(haproxy -v | sed -n '1s/^HA-\{0,1\}Proxy version \([0-9.]*\).*/\1/p')\""
echo "candidate: \"$(apt-cache policy haproxy | sed -n 's/^ *Candidate: \([0-9][0-9.]*\).*/\1/p')\""
lacking=
for package in $PACKAGES; do
    ls -d ${package#*=} >/dev/null || lacking="$lacking${package%%=*}, "
done
echo "lacking: [$lacking]"
echo "authority: $([ -e /etc/exotel-edge/acme ] && echo true || echo false)"
echo "ipv6: $([ -e /proc/net/if_inet6 ] && echo true || echo false)"
echo "edge: $([ -e /etc/systemd/system/haproxy.service.d/exotel-edge.conf ] && echo true || echo false)"
echo "state: \"$(systemctl show --property=ActiveState --value haproxy.service)\""
pid=$(systemctl show --property=MainPID --value haproxy.service)
echo "ours: $(tr '\0' '\n' <"/proc/$pid/environ" | grep -qx 'CONFIG=/etc/exotel-edge/haproxy.cfg' && echo true || echo false)"
# Where the server takes calls until a deploy moves it, empty if it takes none.
echo "server: \"$(systemctl is-active --quiet exotel-ws.socket && systemctl show --property=Listen --value exotel-ws.socket | sed -n '1s/.*:\([0-9]*\) (Stream)$/\1/p')\""
# The package's own configuration serves nobody.
shipped=$(dpkg-query --show --showformat '${Conffiles}\n' haproxy | awk '$1 == "/etc/haproxy/haproxy.cfg" { print $2 }')
[ "$(md5sum </etc/haproxy/haproxy.cfg | cut -d' ' -f1)" = "$shipped" ] && echo 'untouched: true' || echo 'untouched: false'
echo 'holders:'
for port in $PORTS; do
    echo "  $port:"
    listeners=$(ss -Hltnp "sport = :$port")
    for pid in $(echo "$listeners" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -nu); do
        echo "    - {pid: $pid, name: \"$(tr -cd '[:alnum:]._-' <"/proc/$pid/comm")\", unit: \"$(sed -n 's,^0::.*/,,p' "/proc/$pid/cgroup" | tr -cd '[:alnum:]@._-')\"}"
    done
done
