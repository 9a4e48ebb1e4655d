// Talks to the MCP tool with the official TypeScript clients and prints a transcript, a JSON value a line.
//
//   node mcp.mjs http://127.0.0.1:3100/mcp        over HTTP, with MC_AGENT_TOKEN as bearer token
//   node mcp.mjs mc mcp                           over standard input and output of that command
//
// MCP_NODE_DIR  a directory whose node_modules has the client package (default: the current one)
// MCP_PACKAGE   @modelcontextprotocol/sdk (default) or @modelcontextprotocol/client, which knows 2026-07-28
// MCP_VERSION   with the latter: legacy (default), auto, or a version such as 2026-07-28
// MCP_TASK_ID   a task in INBOX: it is then claimed, started, talked about and submitted

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const packageName = process.env.MCP_PACKAGE ?? '@modelcontextprotocol/sdk';
const modern = packageName === '@modelcontextprotocol/client';
const find = createRequire(resolve(process.env.MCP_NODE_DIR ?? '.', 'here.js'));
const load = (path) => import(pathToFileURL(find.resolve(packageName + path)).href);

const [target, ...commandArguments] = process.argv.slice(2);
if (!target) {
  console.error('say a URL, or a command with its arguments');
  process.exit(2);
}

async function transport() {
  if (!target.startsWith('http')) {
    const { StdioClientTransport } = await load(modern ? '/stdio' : '/client/stdio.js');
    return new StdioClientTransport({ command: target, args: commandArguments, env: process.env });
  }
  const { StreamableHTTPClientTransport } = await load(modern ? '' : '/client/streamableHttp.js');
  const token = process.env.MC_AGENT_TOKEN;
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return new StreamableHTTPClientTransport(new URL(target), { requestInit: { headers } });
}

function options() {
  const version = process.env.MCP_VERSION ?? 'legacy';
  const mode = ['legacy', 'auto'].includes(version) ? version : { pin: version };
  return modern ? { versionNegotiation: { mode } } : {};
}

const say = (value) => console.log(JSON.stringify(value));

const { Client } = await load(modern ? '' : '/client/index.js');
const client = new Client({ name: 'stationmaster-test', version: '1' }, options());
await client.connect(await transport());
say({ step: 'connected', server: client.getServerVersion(), version: client.getNegotiatedProtocolVersion?.() });

const { tools } = await client.listTools();
say({ step: 'tools', names: tools.map((tool) => tool.name), actions: tools[0].inputSchema.properties.action.enum });

async function act(action, parameters = {}) {
  const result = await client.callTool({ name: 'mission_control', arguments: { action, ...parameters } });
  say({ step: action, isError: result.isError ?? false, body: result.structuredContent, text: result.content[0].text });
}

await act('heartbeat');
await act('task_list', { status: 'INBOX', limit: 5 });
await act('policy_check', { tool: 'exec', args: { command: 'rm -rf /tmp/test' } });
await act('task_get', { taskId: 'task_that_is_not_there' });
await act('task_submit', {});

const taskId = process.env.MCP_TASK_ID;
if (taskId) {
  await act('task_claim', { taskId });
  await act('task_start', { taskId, bullets: ['read it', 'do it', 'check it'] });
  await act('task_comment', { taskId, content: 'half way', messageType: 'PROGRESS' });
  await act('task_artifact', { taskId, name: 'notes.md', content: '# Notes', artifactType: 'EVIDENCE' });
  await act('task_submit', { taskId, content: 'Done.', checklist: [{ label: 'checked', checked: true }] });
  const { contents } = await client.readResource({ uri: `task://${taskId}` });
  say({ step: 'resource', uri: contents[0].uri, task: JSON.parse(contents[0].text) });
}

const { resourceTemplates } = await client.listResourceTemplates();
say({ step: 'templates', uris: resourceTemplates.map((template) => template.uriTemplate) });
await client.close();
