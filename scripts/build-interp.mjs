/**
 * Compiles the interpreter: interp/index.ts → dist/interp/vmtape.wasm, and its hash alone for the side that
 * records: interp/hash.ts → dist/interp/hash.wasm. With `--generate`, makes interp/generated/opcodes.ts of the opcode
 * table first (it is committed, so that a plain build needs only asc).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeTailCalls } from './tail-calls.mjs';

const top = dirname(dirname(fileURLToPath(import.meta.url)));

function node(...args) {
  const result = spawnSync(process.execPath, args, { cwd: top, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) throw new Error(`this failed: node ${args.join(' ')}`);
}

function compile(source, output) {
  node(
    'node_modules/assemblyscript/bin/asc.js',
    source,
    ...['-O3', '--runtime', 'stub', '--importMemory', '--noAssert', '--memoryBase', '65536', '--enable', 'simd'],
    ...['--disableWarning', '-o', output],
  );
}

try {
  if (process.argv.includes('--generate')) {
    // Errors elsewhere in the sources do not matter here: what is needed is emitted all the same.
    spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
      cwd: top,
      stdio: 'ignore',
    });
    node('dist/scripts/generate-opcodes.js');
  }
  mkdirSync(join(top, 'dist/interp'), { recursive: true });
  compile('interp/index.ts', 'dist/interp/vmtape.wasm');
  makeTailCalls(join(top, 'dist/interp/vmtape.wasm'));
  compile('interp/hash.ts', 'dist/interp/hash.wasm');
} catch (error) {
  process.stderr.write(`vmtape: ${error.message}\n`);
  process.exit(1);
}
