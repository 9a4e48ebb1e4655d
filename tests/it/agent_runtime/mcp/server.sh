#!/bin/sh
# An MCP server over standard input and output. It notes its starts and its calls in the folder $1, and holds every
# call for as long as there is a file named hold. As long as it runs it holds the pipe named alive, if there is one.
at=$1
[ ! -p "$at/alive" ] || exec 9>"$at/alive"
echo start >>"$at/starts"
printf '%s' "$TOKEN" >"$at/token"
env | sed 's/=.*//' | sort >"$at/environment"
echo "this is the server's own log: $TOKEN" >&2

reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
text() { reply "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }

while IFS= read -r line; do
	id=$(printf '%s\n' "$line" | sed -n 's/.*[{,]"id":\([0-9][0-9]*\).*/\1/p')
	case $line in
	*'"method":"initialize"'*)
		reply '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"test","version":"1"}}'
		;;
	*'"method":"tools/list"'*)
		reply '{"tools":[
			{"name":"note","description":"Notes something","inputSchema":{"type":"object"}},
			{"name":"look","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},
			{"name":"long","inputSchema":{"type":"object"}},
			{"name":"fail","inputSchema":{"type":"object"}},
			{"name":"tell","inputSchema":{"type":"object"}},
			{"name":"stay","inputSchema":{"type":"object"}},
			{"name":"die","inputSchema":{"type":"object"}}]}' | tr -d '\n\t'
		echo
		;;
	*'"method":"tools/call"'*)
		tool=$(printf '%s\n' "$line" | sed 's/.*"name":"\([a-z]*\)".*/\1/')
		echo "$tool" >>"$at/calls"
		while [ -e "$at/hold" ]; do sleep 0.02; done
		case $tool in
		long) text "$(printf '%050d' 0)" ;;
		fail) reply '{"content":[{"type":"text","text":"no such page"}],"isError":true}' ;;
		tell) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"bad token %s"}}\n' "$id" "$TOKEN" ;;
		die) exit 1 ;;
		stay) exec sleep 600 ;;
		*) text "served $tool" ;;
		esac
		;;
	esac
done
