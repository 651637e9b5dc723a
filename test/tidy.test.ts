/** Rules of the house that no linter knows (design, sections 1 and 3; style). */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const top = dirname(dirname(fileURLToPath(import.meta.url)));

function filesBelow(folder: string, ending: string): string[] {
  const found: string[] = [];
  if (!existsSync(join(top, folder))) return found;
  for (const name of readdirSync(join(top, folder))) {
    const path = join(folder, name);
    if (statSync(join(top, path)).isDirectory()) found.push(...filesBelow(path, ending));
    else if (name.endsWith(ending)) found.push(path);
  }
  return found;
}

const textOf = (path: string) => readFileSync(join(top, path), 'utf8');

/** The source without comments and strings, lines kept. */
function codeOf(path: string): string {
  const blank = (text: string) => text.replace(/[^\n]/g, ' ');
  return textOf(path).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, blank);
}

/** Who may import whom, besides itself. Everybody may import the interpreter's layout, and node's own modules. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  vmm: ['base'],
  trace: ['base'],
  record: ['base', 'vmm', 'trace'],
  replay: ['base', 'vmm', 'trace'],
  compare: ['base', 'vmm', 'trace', 'record', 'replay'],
  fuzz: ['base', 'vmm', 'trace', 'record', 'replay'],
};

test('the parts of src know only those below them', () => {
  const wrong: string[] = [];
  for (const [part, allowed] of Object.entries(MAY_IMPORT)) {
    for (const path of filesBelow(join('src', part), '.ts')) {
      for (const match of textOf(path).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
        const target = relative(join(top, 'src'), join(top, dirname(path), match[1] ?? '')).split('/');
        const inside = target[0] === part || allowed.includes(target[0] ?? '');
        const layout = target.join('/') === '../interp/layout.js';
        if (!inside && !layout) wrong.push(`${path} imports ${match[1]}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

/** What would let the host's time or chance into a guest or a trace, and what to use instead. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b/, 'the Clock of the machine, or the HostPort'],
  [/\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/, 'the seeded generator of src/base/prng.ts'],
  [/\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b/, 'deadlines of the Clock'],
];

test('no host time and no chance where a guest or a trace could see it', () => {
  const wrong: string[] = [];
  for (const part of ['vmm', 'record', 'replay', 'trace']) {
    for (const path of filesBelow(join('src', part), '.ts')) {
      codeOf(path)
        .split('\n')
        .forEach((line, index) => {
          for (const [banned, instead] of BANNED) {
            const found = banned.exec(line);
            if (found) wrong.push(`${path}:${index + 1} uses ${found[0]}: use ${instead}`);
          }
        });
    }
  }
  expect(wrong).toEqual([]);
});

test('no file is longer than 500 lines', () => {
  const paths = ['src', 'interp', 'test', 'bench', 'scripts'].flatMap((folder) => [
    ...filesBelow(folder, '.ts'),
    ...filesBelow(folder, '.mjs'),
  ]);
  const native = [...filesBelow('native', '.cc'), ...filesBelow('native', '.h')];
  const long = [...paths, ...native]
    .filter((path) => !path.includes('generated'))
    .map((path) => `${path}: ${textOf(path).split('\n').length}`)
    .filter((row) => Number(row.split(': ')[1]) > 500);
  expect(long).toEqual([]);
});

test('AssemblyScript, which biome cannot read, keeps to the form: no tabs, no trailing blanks, 130 columns of code', () => {
  const wrong: string[] = [];
  for (const path of filesBelow('interp', '.ts').filter((name) => !name.includes('generated'))) {
    const code = codeOf(path).split('\n');
    textOf(path)
      .split('\n')
      .forEach((line, index) => {
        const columns = code[index]?.trimEnd().length ?? 0;
        if (/\t|\s$/.test(line) || columns > 130) wrong.push(`${path}:${index + 1}`);
      });
  }
  expect(wrong).toEqual([]);
});

test('nothing that is built or downloaded is in git', (context) => {
  if (!existsSync(join(top, '.git'))) context.skip('this is no clone');
  const tracked = execFileSync('git', ['ls-files'], { cwd: top, encoding: 'utf8' }).split('\n');
  expect(tracked.filter((path) => /^(dist|build|node_modules|\.cache)\//.test(path))).toEqual([]);
});
