/** The guests of corpora/guests as their own heads describe them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './cli.js';

/** The folder of the guests. */
export const guestFolder = join(top, 'corpora/guests');

/** One image. */
export interface GuestImage {
  /** `clocks`, `bench-alu64` … */
  readonly name: string;
  /** Options of `run` and `record`, relative to the project's folder. */
  readonly options: readonly string[];
  readonly exitCode: number;
  /** It is there to measure, and runs long. */
  readonly bench: boolean;
}

/** Every image that a head has a run command for. */
export function guestImages(): GuestImage[] {
  const images: GuestImage[] = [];
  for (const file of readdirSync(guestFolder).filter((name) => name.endsWith('.s'))) {
    const source = readFileSync(join(guestFolder, file), 'utf8');
    const exitCode = Number(/^# exit: +(\d+)$/m.exec(source)?.[1]);
    for (const [, command = ''] of source.matchAll(/^# run: +npx vmtape run (.*)$/gm)) {
      const name = /([^/ ]+)\.bin/.exec(command)?.[1] ?? '';
      images.push({ name, options: command.split(' '), exitCode, bench: name.startsWith('bench-') });
    }
  }
  return images;
}

/** The options of one image. */
export function guestOptions(name: string): readonly string[] {
  const found = guestImages().find((image) => image.name === name);
  if (found === undefined) throw new Error(`there is no guest ${name}`);
  return found.options;
}
