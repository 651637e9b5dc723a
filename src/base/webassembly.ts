/**
 * The part of the WebAssembly JavaScript interface (W3C, core 2.0) that vmtape uses. TypeScript declares it only in its
 * library of the browser, which has no place here. Import this module for its types: `import '../base/webassembly.js'`.
 */
declare global {
  namespace WebAssembly {
    /** Linear memory; sizes in pages of 64 KiB. */
    class Memory {
      constructor(descriptor: { initial: number; maximum?: number });
      readonly buffer: ArrayBuffer;
    }
    /** A function table. */
    class Table {
      get(index: number): unknown;
      readonly length: number;
    }
    /** Compiled code. */
    class Module {
      constructor(bytes: Uint8Array);
    }
    /** Code joined with its imports. */
    class Instance {
      constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
      readonly exports: Record<string, unknown>;
    }
    /** Code that is not valid. */
    class CompileError extends Error {}
    /** Imports that do not fit. */
    class LinkError extends Error {}
    /** A trap. */
    class RuntimeError extends Error {}
  }
}

export {};
