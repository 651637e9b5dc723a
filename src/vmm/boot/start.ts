/** How the processor stands when a guest begins: what each boot protocol asks for. */

/** General registers that boot protocols set. */
export type StartRegister = 'rax' | 'rbx' | 'rcx' | 'rdx' | 'rsi' | 'rdi' | 'rbp';

/** The start of a guest; what is not named is zero. */
export interface CpuStart {
  /** `reset`: as after power-on, at F000:FFF0 with base FFFF0000. */
  readonly mode: 'real' | 'prot32' | 'long64' | 'reset';
  /** RIP; with real mode, the offset in the code segment. Ignored for reset. */
  readonly entry: number;
  /** Real mode: the selector of CS. */
  readonly codeSelector?: number;
  /** RSP; in real mode, a linear address below 1 MiB. */
  readonly stack: number;
  readonly registers?: Readonly<Partial<Record<StartRegister, number>>>;
}
