/** The QEMU of this host, for tests of what we write for it. */
import { spawn, spawnSync } from 'node:child_process';

const EMULATOR = 'qemu-system-x86_64';
/** So much longer than it takes that only a QEMU that does not answer comes to it. */
const PATIENCE = 40_000;
/** QEMU does not end by itself: it is given so many milliseconds to answer a first command. */
const TRIAL = 3000;

/** Why there is no QEMU, or none with the accelerator that is needed; undefined: it is there. */
export function whyNoQemu(accelerator?: string): string | undefined {
  if (spawnSync(EMULATOR, ['--version']).status !== 0) return `${EMULATOR} is not installed`;
  if (accelerator === undefined) return undefined;
  // `-accel help` does not name all that there are: QEMU leaves out `qtest`.
  const args = ['-accel', accelerator, '-machine', 'none', '-nodefaults', '-display', 'none', '-S', '-qtest', 'stdio'];
  const { stdout } = spawnSync(EMULATOR, args, { encoding: 'utf8', input: 'endianness\n', timeout: TRIAL });
  return stdout.startsWith('OK') ? undefined : `this ${EMULATOR} has no accelerator ${accelerator}`;
}

/** Runs a qtest script, and ends QEMU when it has answered every line. `command`: as `vmtape export` prints it. */
export function runQtest(command: string, script: string): Promise<string> {
  const count = script.split('\n').length - 1;
  const [emulator, ...args] = command.trim().split(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(emulator as string, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    let answers = '';
    let complaints = '';
    let seen = 0;
    child.stderr.on('data', (bytes: Buffer) => {
      complaints += bytes.toString();
    });
    child.stdout.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      answers += text;
      seen += text.split('\n').length - 1;
      if (seen >= count) child.kill('SIGKILL');
    });
    // A QEMU that is gone says why on standard error.
    child.stdin.on('error', () => {});
    child.stdin.end(script);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      if (seen >= count) resolve(answers);
      else reject(new Error(`QEMU answered ${seen} of ${count} lines: ${complaints}`));
    });
  });
}
