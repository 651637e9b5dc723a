/**
 * The rules of the house that a compiler does not hold: who may import whom (design, section 1), which calls are banned
 * where and what to use instead, how large a file may be, and that exports are documented.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Source {
  readonly path: string;
  readonly text: string;
}

function sources(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

const src = sources('src');
/** Without comments; a `//` in a string goes too, which no rule minds. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');

/** Folder of src → folders of src that it may import besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  vmm: ['base'],
  trace: ['base'],
  record: ['base', 'vmm', 'trace'],
  replay: ['base', 'vmm', 'trace'],
  compare: ['base', 'vmm', 'trace', 'record', 'replay'],
  cli: ['base', 'vmm', 'trace', 'record', 'replay', 'compare'],
  fuzz: ['base', 'vmm', 'trace', 'record', 'replay', 'cli'],
};

/** The modules that `text` imports, from files of its own. */
function imports(text: string): string[] {
  return [...code(text).matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map((match) => match[1] as string);
}

describe('who may import whom', () => {
  const parts = [
    ...new Set(
      src
        .map(({ path }) => path.split('/'))
        .filter((steps) => steps.length > 2)
        .map((steps) => steps[1] as string),
    ),
  ];
  it.each(parts)('src/%s', (part) => {
    expect(Object.keys(mayImport)).toContain(part);
    const allowed = [part, ...(mayImport[part] ?? [])];
    const wrong = src
      .filter(({ path }) => path.startsWith(`src/${part}/`))
      .flatMap(({ path, text }) =>
        imports(text)
          .map((target) => relative('.', join(dirname(path), target)).split('/'))
          .filter(([top, folder]) => top === 'test' || (top === 'src' && !allowed.includes(folder as string)))
          .map((steps) => `${path} imports ${steps.join('/')}`),
      );
    expect(wrong).toEqual([]);
  });

  it('a device imports no part of the machine and nothing of the host', () => {
    const wrong = src
      .filter(({ path }) => path.startsWith('src/vmm/devices/'))
      .filter(({ text }) => /from '(node:[^']*|[^']*\/(machine[^/]*|bus|memory|vcpu))(\.js)?'/.test(code(text)))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });
});

describe('what is banned in vmm, record, replay and trace', () => {
  const bans: [string, RegExp, string][] = [
    ['Date.now', /\bDate\.now\b|\bnew Date\(\)/, 'the Clock of the machine, or a HostPort (src/base/host.ts)'],
    ['Math.random', /\bMath\.random\b/, 'Prng (src/base/prng.ts), with a seed that is an option'],
    ['performance.now', /\bperformance\b/, 'a HostPort (src/base/host.ts)'],
    ['setTimeout', /\bset(Timeout|Interval|Immediate)\b/, 'deadlines of the Clock, or HostPort.sleep'],
    ['process.hrtime', /\bhrtime\b/, 'a HostPort (src/base/host.ts)'],
  ];
  it.each(bans)('%s', (_, pattern, instead) => {
    const wrong = src
      .filter(({ path }) => /^src\/(vmm|record|replay|trace)\//.test(path))
      .filter(({ text }) => pattern.test(code(text)))
      .map(({ path }) => `${path}: use ${instead}`);
    expect(wrong).toEqual([]);
  });

  it('console', () => {
    const wrong = src
      .filter(({ path }) => /^src\/(base|vmm|record|replay|trace)\//.test(path))
      .filter(({ text }) => /\bconsole\.(log|error|warn|info|debug)\b/.test(code(text)))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  it('have at most 500 lines', () => {
    const files = [...src, ...sources('interp')].filter(({ path }) => !path.startsWith('interp/generated/'));
    const wrong = files
      .map(({ path, text }) => [path, text.split('\n').length] as const)
      .filter(([, lines]) => lines > 501);
    expect(wrong).toEqual([]);
  });

  it('document every class, interface, type and function that they export', () => {
    const wrong = src.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      return (
        lines
          .map((line, index) => ({ line, index }))
          .filter(({ line }) =>
            /^export (declare |default |abstract |async )*(class|interface|type|function) \w/.test(line),
          )
          .filter(({ index }) => !(lines[index - 1] ?? '').trim().endsWith('*/'))
          // Further signatures of an overloaded function are documented by the first.
          .filter(({ line, index }) => {
            const name = /function (\w+)/.exec(line)?.[1];
            return (
              name === undefined ||
              !lines.slice(Math.max(0, index - 6), index).some((above) => above.includes(`function ${name}`))
            );
          })
          .map(({ line, index }) => `${path}:${index + 1}: ${line}`)
      );
    });
    expect(wrong).toEqual([]);
  });
});
