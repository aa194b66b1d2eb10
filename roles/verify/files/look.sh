# The host's view of itself, and the needs of a call to it: files as JSON, contents in base64. Any deployed release can do it.
exec 2>/dev/null
# In memory: a full disk is one of the things to be told.
cd "$(mktemp -d /run/exotelctl-verify-XXXXXX)" || exit
trap 'rm -r "$PWD"' EXIT
etc=/etc/exotel-ws
/usr/local/bin/exotelctl doctor --since -1min --bundle bundle.tar >/dev/null 2>said
echo $? >code
cp $etc/current/generation.json .
grep -E '^(paths|metrics_sources) = ' $etc/current/settings.toml >paths.toml
# The edge in front, if there is one, and its certificates without their key.
cp /etc/exotel-edge/edge.json .
sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' /etc/exotel-edge/certificate.pem >chain.pem
# The serving generation may be older than the inventory. Older ones shared one file of credentials.
head -qn 1 $etc/current/credentials/stream-credentials $etc/credentials/stream-credentials | head -n 1 >credential
# A deploy that failed after it wrote the edge leaves two lists: a key that is in both gets a call.
while read -r key; do
    printf %s "$key" | base64 -w 0 | tr -d = | grep -qxFf - /etc/exotel-edge/keys/basic.lst && printf '%s\n' "$key" >credential && break
done <$etc/current/credentials/stream-credentials
# Marks our calls as the operator's own, so that the doctor does not take them for Exotel's.
# The newest first: a release may be old.
for module in exotel_phone.call_token exotel_phone.ours exotelctl.ours; do
    $etc/current/release/bin/python -I -c "from $module import token; print(token())" >token && break
done
echo '--- verify'
mark='{'
for file in *; do
    printf '%s"%s": "%s"' "$mark" "$file" "$(base64 -w 0 "$file")"
    mark=', '
done
echo '}'
