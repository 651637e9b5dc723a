/** What `npm pack` puts into the package, and that the command runs from a folder that holds nothing else. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { top, vmtape, workFolder } from '../helpers/cli.js';

const manifest = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

describe('the package', () => {
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: top,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const files: string[] = JSON.parse(listed)[0].files.map((file: { path: string }) => file.path);

  test.each([
    'bin/vmtape.mjs',
    'dist/interp/vmtape.wasm',
    'dist/src/cli/main.js',
    'dist/src/index.js',
    'dist/src/index.d.ts',
    'binding.gyp',
    'native/addon.cc',
    'scripts/build-native.mjs',
    'corpora/guests/prot32-ticks.bin',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
  ])('holds %s', (path) => {
    expect(files).toContain(path);
    expect(existsSync(join(top, path))).toBe(true);
  });

  test('holds no tests, no recordings and nothing that was built for this host', () => {
    expect(files.filter((path) => /^dist\/test|\.vmtape$|\.node$|^build\//.test(path))).toEqual([]);
  });

  test('has a command and an entry that exist', () => {
    expect(existsSync(join(top, manifest.bin.vmtape))).toBe(true);
    expect(existsSync(join(top, manifest.exports['.'].default))).toBe(true);
  });
});

describe('the command', () => {
  const folder = workFolder();

  test('tells its version', async () => {
    const result = await vmtape(['--version'], { cwd: folder });
    expect(result.stdout).toBe(`${manifest.version}\n`);
  });

  test.each(['run', 'record', 'replay', 'inspect', 'doctor'])('%s --help can be worked from', async (command) => {
    const result = await vmtape([command, '--help'], { cwd: folder });
    expect(result.code).toBe(0);
    expect(result.stderr).toBe('');
    expect(result.stdout).toMatch(/^Usage: vmtape /);
    expect(result.stdout).toMatch(/\$ vmtape /);
  });

  test('Ctrl-C ends a recording cleanly: it replays', async () => {
    const trace = join(folder, 'interrupted.vmtape');
    const image = join(top, 'corpora/guests/bench-mem32.bin');
    const guest = ['--flat', image, '--load-at', '0x100000', '--mode', 'prot32'];
    const recording = await vmtape(['record', '--engine', 'interp', ...guest, '-o', trace], {
      signalWhen: (stdout) => stdout.includes('start'),
    });
    expect(recording.signal).toBe(null);
    expect(recording.stderr).not.toMatch(/^\s+at /m);
    const replay = await vmtape(['replay', trace]);
    expect(replay.stdout).toBe(recording.stdout);
    expect(replay.code).toBe(0);
  });
});
