/**
 * The viewer of chrome://tracing (catapult's trace viewer) in a headless Chromium. The browsers of today do not have it any more; Go's source
 * package carries it, as one page, for `go tool trace`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { PrivateApt, unpackPackage } from '../../scripts/guest-debian/packages.js';
import { top } from './cli.js';

const PACKAGE = 'golang-1.19-src';
const STATIC = 'usr/share/go-1.19/src/cmd/trace/static';
const FILES = ['trace_viewer_full.html', 'webcomponents.min.js'];
const PATIENCE = 60_000;

/** The folder with the viewer: of the system, of `.cache`, or fetched there. A string that begins with `no `: why there is none. */
export function viewerFolder(): string {
  if (spawnSync('chromium', ['--version']).status !== 0) return 'no chromium is installed';
  const cache = join(top, '.cache/trace-viewer');
  for (const root of ['/', cache])
    if (FILES.every((name) => existsSync(join(root, STATIC, name)))) return join(root, STATIC);
  try {
    const apt = new PrivateApt(join(top, '.cache/apt'));
    apt.update();
    unpackPackage(apt.download(PACKAGE, join(cache, 'packages')), cache);
    return join(cache, STATIC);
  } catch (error) {
    return `no trace viewer: ${(error as Error).message}`;
  }
}

const PAGE = `<!doctype html><html><head><script src="/webcomponents.min.js"></script>
<link rel="import" href="/trace_viewer_full.html"></head><body></body></html>`;

/** A track as the viewer has it. */
export interface ViewerTrack {
  readonly name: string;
  readonly order: number;
  /** Milliseconds. An instant is one of no duration. */
  readonly events: readonly { readonly title: string; readonly start: number; readonly duration: number }[];
}

/** What the viewer made of a file. */
export interface ViewerModel {
  readonly warnings: readonly string[];
  readonly processes: readonly string[];
  readonly tracks: readonly ViewerTrack[];
}

const IMPORT = `(async () => {
  const text = await (await fetch('/trace.json')).text();
  const model = new tr.Model();
  await new tr.importer.Import(model).importTraces([text]);
  const processes = Object.values(model.processes);
  return {
    warnings: model.importWarnings.map(({ message }) => message),
    processes: processes.map(({ name }) => name),
    tracks: processes.flatMap(({ threads }) => Object.values(threads)).map((thread) => ({
      name: thread.name,
      order: thread.sortIndex,
      events: thread.sliceGroup.slices.map(({ title, start, duration }) => ({ title, start, duration })),
    })),
  };
})()`;

/** Has the viewer in `folder` import the file at `path`. */
export async function viewTrace(folder: string, path: string): Promise<ViewerModel> {
  const profile = mkdtempSync(join(tmpdir(), 'vmtape-viewer-'));
  const server = await serve(folder, path);
  const { port } = server.address() as AddressInfo;
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage'];
  const browser = spawn(
    'chromium',
    [...flags, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      // A group of its own: its processes outlive the first by a moment, and write to the profile.
      detached: true,
    },
  );
  const ended = new Promise((resolve) => browser.on('close', resolve));
  const timer = setTimeout(() => signalGroup(browser, 'SIGKILL'), PATIENCE);
  try {
    return await drive(browser, `http://127.0.0.1:${port}/`);
  } finally {
    clearTimeout(timer);
    signalGroup(browser, 'SIGKILL');
    server.close();
    await ended;
    for (let tries = 0; tries < 500 && signalGroup(browser, 0); tries++) await delay(10);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Whether the group of a process is there to get it. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

function serve(folder: string, path: string): Promise<Server> {
  const server = createServer(({ url }, response) => {
    const name = FILES.find((file) => url === `/${file}`);
    const type = name?.endsWith('.js') ? 'text/javascript' : url === '/trace.json' ? 'application/json' : 'text/html';
    response.setHeader('content-type', `${type}; charset=utf-8`);
    response.end(name ? readFileSync(join(folder, name)) : url === '/trace.json' ? readFileSync(path) : PAGE);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Opens the page by the DevTools protocol over a pipe, waits for the viewer, and imports. */
async function drive(browser: ChildProcess, url: string): Promise<ViewerModel> {
  const send = protocol(browser);
  const { targetId } = await send('Target.createTarget', { url });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const evaluate = async (expression: string) => {
    const parameters = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await send('Runtime.evaluate', parameters, sessionId as string);
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value: unknown }).value;
  };
  while (!(await evaluate('typeof tr === "object" && tr.importer?.Import !== undefined')))
    await new Promise((resolve) => setImmediate(resolve));
  const model = (await evaluate(IMPORT)) as ViewerModel;
  const picture = process.env['VMTAPE_VIEWER_PICTURE'];
  if (picture !== undefined) writeFileSync(picture, await photograph(send, sessionId as string, evaluate));
  return model;
}

type Send = (method: string, params?: object, sessionId?: string) => Promise<Record<string, unknown>>;

function protocol(browser: ChildProcess): Send {
  const [, , , input, output] = browser.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let text = '';
  let last = 0;
  output.setEncoding('utf8');
  output.on('data', (part: string) => {
    const messages = (text + part).split('\0');
    text = messages.pop() as string;
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      if (error) waiting.get(id)?.reject(new Error(error.message));
      else waiting.get(id)?.resolve(result as never);
    }
  });
  browser.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser ended'));
  });
  return (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      last++;
      waiting.set(last, { resolve, reject });
      input.write(`${JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) })}\0`);
    });
}

const SHOW = `(async () => {
  const text = await (await fetch('/trace.json')).text();
  const view = document.createElement('tr-ui-timeline-view');
  const container = document.createElement('track-view-container');
  container.id = 'track_view_container';
  view.track_view_container = container;
  Polymer.dom(view).appendChild(container);
  view.style.cssText = 'display: flex; width: 100%; height: 95vh';
  view.globalMode = true;
  Polymer.dom(document.body).appendChild(view);
  const model = new tr.Model();
  await new tr.importer.Import(model).importTraces([text]);
  view.updateDocumentFavicon = () => {};
  view.model = model;
  view.viewTitle = 'vmtape';
  await new Promise((resolve) => setTimeout(resolve, 3000));
})()`;

/** The timeline as it is seen, as PNG: for people, on demand. */
async function photograph(send: Send, sessionId: string, evaluate: (text: string) => Promise<unknown>) {
  const metrics = { width: 1600, height: 900, deviceScaleFactor: 1, mobile: false };
  await send('Emulation.setDeviceMetricsOverride', metrics, sessionId);
  await evaluate(SHOW);
  const { data } = await send('Page.captureScreenshot', {}, sessionId);
  return Buffer.from(data as string, 'base64');
}
