# What the host itself says about the deployed server, as JSON, in one round trip.
exec 2>/dev/null
generation=$(cat /etc/exotel-ws/current/generation.json) || generation=null
name=$(basename "$(readlink /etc/exotel-ws/current)")
workers=$(echo "$generation" | sed -n 's/.*"workers": *\([0-9]*\).*/\1/p')
port=$(echo "$generation" | sed -n 's/.*"listen": *".*:\([0-9]*\)".*/\1/p')
settings=$(/etc/exotel-ws/current/release/bin/python -I -c '
import json, tomllib
settings = tomllib.load(open("/etc/exotel-ws/current/settings.toml", "rb"))
asks = settings.get("auth", {}).get("required", False)
print(json.dumps({"paths": settings.get("paths", []), "asks_credential": asks}))')
told=$(/etc/exotel-ws/current/release/bin/python -I -c '
import json, time
from exotelctl import boot, moved
print(json.dumps({"moved": str(moved.look(time.time()) or ""), "maintenance": boot.maintenance()}))')

test_call=$(/etc/exotel-ws/current/release/bin/python -I -c '
import json
from exotel_phone import ours
print(json.dumps(ours.token()))')

comma=''
units=''
for unit in exotel-ws.socket $(seq -f "exotel-ws@$name-%g.service" "${workers:-0}"); do
    units="$units$comma\"$unit\": \"$(systemctl is-active "$unit")\""
    comma=', '
done

comma=''
holders=''
for pid in $(ss -Hltnp "sport = :$port" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -nu); do
    holders="$holders$comma{\"pid\": $pid, \"unit\": \"$(ps -o unit= -p "$pid")\"}"
    comma=', '
done

health=$(/usr/local/bin/exotelctl health --json)
echo '--- verify'
echo "{\"generation\": $generation, \"units\": {$units}, \"holders\": [$holders], \"health\": ${health:-null}, \"settings\": ${settings:-null}, \"told\": ${told:-null}, \"test_call\": ${test_call:-\"\"}}"
