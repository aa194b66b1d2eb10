# After reach.sh: the rest of what the preflight asks of a host, as YAML. In: PORT, and NOW (seconds since the epoch).
(. /etc/os-release; printf 'os: "%s-%s"\nname: "%s"\n' "$ID" "$VERSION_ID" "$PRETTY_NAME")
echo "init: \"$(cat /proc/1/comm)\""
echo "systemd: $(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
echo 'pythons:'
for python in /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9]; do
    version=$("$python" -c 'import platform, ssl, venv; print(platform.python_version())') && echo "  $python: \"$version\""
done
echo 'free_mb:'
for directory in /opt /var; do
    [ -d "$directory" ] && exists=$directory || exists=/
    echo "  $directory: $(df -Pm "$exists" | awk 'NR == 2 { print $4 }')"
done
echo "clock_skew_s: $(($(date +%s) - NOW))"
# A container has its machine's clock.
systemd-detect-virt --quiet --container || echo "ntp: \"$(timeout 3 timedatectl show --property NTPSynchronized --value)\""
echo "socket: \"$(systemctl is-active exotel-ws.socket)\""
listeners=$(ss -Hltnp "sport = :$PORT") && echo "listening: $([ -n "$listeners" ] && echo true || echo false)"
# Who uses the port without listening on it keeps the server from it all the same.
[ -n "$listeners" ] || listeners=$(ss -Hatnp "sport = :$PORT" | grep 'pid=')
echo 'holders:'
for pid in $(echo "$listeners" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -nu); do
    command=$(tr '\0' ' ' <"/proc/$pid/cmdline" | tr -cd '[:alnum:] ._/:=@-' | cut -c1-80 | sed 's, *$,,')
    echo "  - \"pid $pid ($command)\""
done
