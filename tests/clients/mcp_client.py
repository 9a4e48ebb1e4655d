"""Talks to the MCP tool with the official Python client and prints a transcript, a JSON value a line.

    python mcp_client.py http://127.0.0.1:3100/mcp      over HTTP, with MC_AGENT_TOKEN as bearer token
    python mcp_client.py mc mcp                         over standard input and output of that command

MCP_VERSION   auto (default), legacy, or a version such as 2026-07-28
MCP_TASK_ID   a task in INBOX: it is then claimed, started, talked about and submitted

It needs the package "mcp", version 2.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def target(words):
    if not words[0].startswith("http"):
        return StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
    token = os.environ.get("MC_AGENT_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return streamable_http_client(words[0], http_client=httpx2.AsyncClient(headers=headers, timeout=30))


def say(**value):
    print(json.dumps(value), flush=True)


async def talk(client):
    server = client.server_info  # None where the version was fixed beforehand
    say(step="connected", server=server and server.name, version=client.protocol_version)
    tools = (await client.list_tools()).tools
    actions = tools[0].input_schema["properties"]["action"]["enum"]
    say(step="tools", names=[tool.name for tool in tools], actions=actions)

    async def act(action, **parameters):
        result = await client.call_tool("mission_control", {"action": action, **parameters})
        say(step=action, isError=bool(result.is_error), body=result.structured_content, text=result.content[0].text)

    await act("heartbeat")
    await act("task_list", status="INBOX", limit=5)
    await act("policy_check", tool="exec", args={"command": "rm -rf /tmp/test"})
    await act("task_get", taskId="task_that_is_not_there")
    await act("task_submit")

    task = os.environ.get("MCP_TASK_ID")
    if task:
        await act("task_claim", taskId=task)
        await act("task_start", taskId=task, bullets=["read it", "do it", "check it"])
        await act("task_comment", taskId=task, content="half way", messageType="PROGRESS")
        await act("task_artifact", taskId=task, name="notes.md", content="# Notes", artifactType="EVIDENCE")
        await act("task_submit", taskId=task, content="Done.", checklist=[{"label": "checked", "checked": True}])
        contents = (await client.read_resource(f"task://{task}")).contents
        say(step="resource", uri=str(contents[0].uri), task=json.loads(contents[0].text))

    templates = (await client.list_resource_templates()).resource_templates
    say(step="templates", uris=[template.uri_template for template in templates])


async def main(words):
    if not words:
        sys.exit("say a URL, or a command with its arguments")
    async with Client(target(words), mode=os.environ.get("MCP_VERSION", "auto")) as client:
        await talk(client)


asyncio.run(main(sys.argv[1:]))
