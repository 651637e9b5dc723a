/** Fetching Debian packages with apt-get, without root and without touching the system's package lists. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A private apt: its lists and its cache lie in `directory`; the sources and the keys are the system's. */
export class PrivateApt {
  readonly #environment: NodeJS.ProcessEnv;

  constructor(
    readonly directory: string,
    architecture = 'amd64',
  ) {
    const lists = join(directory, 'lists');
    const cache = join(directory, 'cache');
    mkdirSync(join(lists, 'partial'), { recursive: true });
    mkdirSync(join(cache, 'archives', 'partial'), { recursive: true });
    const configuration = join(directory, 'apt.conf');
    const lines = [
      `Dir::State::Lists "${lists}";`,
      `Dir::Cache "${cache}";`,
      `APT::Architecture "${architecture}";`,
      `APT::Architectures { "${architecture}"; };`,
      'APT::Sandbox::User "";',
      'Acquire::Languages "none";',
    ];
    writeFileSync(configuration, `${lines.join('\n')}\n`);
    this.#environment = { ...process.env, APT_CONFIG: configuration, LC_ALL: 'C' };
  }

  /**
   * Fetches the package lists; returns what went wrong. A mirror that is being synchronised lacks some list now and then, and
   * the packages may be in another: whether they are shows when they are asked for.
   */
  update(): string | undefined {
    try {
      this.#run('apt-get', ['-qq', 'update'], this.directory);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** The packages that a package depends on, by name. */
  dependencies(name: string): string[] {
    const text = this.#run('apt-cache', ['depends', '--important', name], this.directory);
    return [...text.matchAll(/^\s*\|?Depends: ([a-z0-9][a-z0-9.+-]*)$/gm)].map((match) => match[1] as string);
  }

  /** Downloads a package (apt checks it against its signed list) into `target` and returns the path of the file. */
  download(name: string, target: string): string {
    mkdirSync(target, { recursive: true });
    this.#run('apt-get', ['-qq', 'download', name], target);
    const file = readdirSync(target).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith('.deb'));
    if (file === undefined) throw new Error(`apt-get download gave no file for ${name}`);
    return join(target, file);
  }

  #run(tool: string, args: readonly string[], cwd: string): string {
    return runTool(tool, args, cwd, this.#environment);
  }
}

/** Unpacks a package's files into a directory; runs none of its scripts. */
export function unpackPackage(file: string, target: string): void {
  mkdirSync(target, { recursive: true });
  runTool('dpkg-deb', ['-x', file, target], target);
}

function runTool(tool: string, args: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(tool, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...(env && { env }) });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === 'ENOENT') throw new Error(`${tool} is not installed: this script needs a Debian system`);
    const reason = (stderr ?? '').trim().split('\n').at(-1) ?? '';
    throw new Error(`${tool} ${args.join(' ')} failed: ${reason}`);
  }
}
