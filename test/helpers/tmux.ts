/** A real terminal for the command: a shell in tmux, typed at and read as a person does. */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { top } from './cli.js';

const POLL_MILLISECONDS = 100;
const PATIENCE_MILLISECONDS = 60_000;
let count = 0;

/** Why there is none here; undefined: there is. */
export const noTmux = spawnSync('tmux', ['-V']).status === 0 ? undefined : 'tmux is not installed';

/** One terminal with a shell whose prompt is `host> `. Close it. */
export class Terminal {
  readonly #socket = `vmtape-${process.pid}-${count++}`;

  constructor(columns = 120, rows = 50) {
    const shell = ['env', 'PS1=host> ', 'bash', '--norc', '--noprofile'];
    this.#tmux('new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, '-c', top, ...shell);
  }

  /** Types text, or keys by tmux's names: `Enter`, `C-c`. */
  type(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  /** What is on the screen, without the spaces and empty lines at the end. */
  get screen(): string {
    return this.#tmux('capture-pane', '-p', '-S', '-200').replace(/ +$/gm, '').trimEnd();
  }

  /** Waits until the screen has it; the screen then. Throws with the screen if it never does. */
  async until(what: RegExp): Promise<string> {
    for (let waited = 0; waited < PATIENCE_MILLISECONDS; waited += POLL_MILLISECONDS) {
      const { screen } = this;
      if (what.test(screen)) return screen;
      await delay(POLL_MILLISECONDS);
    }
    throw new Error(`${what} never came to the screen:\n${this.screen}`);
  }

  /** The number of the process that runs in the foreground, a child of the shell whose command line has `word`. */
  processWith(word: string): number {
    const shell = this.#tmux('display-message', '-p', '#{pane_pid}').trim();
    const { stdout } = spawnSync('pgrep', ['-P', shell, '-f', word], { encoding: 'utf8' });
    return Number(stdout.trim().split('\n')[0]);
  }

  close(): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: string[]): string {
    return spawnSync('tmux', ['-L', this.#socket, '-f', '/dev/null', ...args], { encoding: 'utf8' }).stdout ?? '';
  }
}
