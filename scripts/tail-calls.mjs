/**
 * Makes tail calls of the interpreter's dispatch (interp/chain.ts): every indirect call with which a function ends, and every call of a
 * function that ends so. AssemblyScript cannot say it; without it each instruction would need a frame of its own.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'assemblyscript/binaryen';

/** The indirect calls of the run loop (a block, a branch step) and of the probe, which come back. */
const COMING_BACK = 3;

/** Does an expression only leave the function, whose end the labels in `exits` lead to? */
function leaves(expression, exits) {
  const id = binaryen.getExpressionId(expression);
  if (id === binaryen.ReturnId) return true;
  if (id !== binaryen.BreakId || binaryen.Break.getCondition(expression) !== 0) return false;
  return exits.includes(binaryen.Break.getName(expression));
}

/**
 * Converts the calls behind which the function ends: indirect ones, and those of functions in `chaining`. `isLast`: it ends behind
 * this expression. Returns how many were converted.
 */
function convert(expression, isLast, exits, chaining) {
  if (expression === 0) return 0;
  let converted = 0;
  switch (binaryen.getExpressionId(expression)) {
    case binaryen.CallIndirectId:
      if (!isLast || binaryen.CallIndirect.isReturn(expression)) return 0;
      binaryen.CallIndirect.setReturn(expression, true);
      converted = 1;
      break;
    case binaryen.CallId:
      if (!isLast || binaryen.Call.isReturn(expression) || !chaining.has(binaryen.Call.getTarget(expression))) return 0;
      binaryen.Call.setReturn(expression, true);
      converted = 1;
      break;
    case binaryen.BlockId: {
      const name = binaryen.Block.getName(expression);
      const inner = isLast && name ? [...exits, name] : exits;
      const { children } = binaryen.getExpressionInfo(expression);
      for (const [index, child] of children.entries()) {
        const next = children[index + 1];
        converted += convert(child, next === undefined ? isLast : leaves(next, inner), inner, chaining);
      }
      break;
    }
    case binaryen.IfId:
      converted = convert(binaryen.If.getIfTrue(expression), isLast, exits, chaining);
      converted += convert(binaryen.If.getIfFalse(expression), isLast, exits, chaining);
      break;
    default:
      return 0;
  }
  if (converted > 0) binaryen.Expression.finalize(expression);
  return converted;
}

/** Fails unless all other calls that could chain are the few that are meant to come back. */
function checkOthers(text, chaining) {
  const indirect = text.match(/\(call_indirect/g)?.length ?? 0;
  const direct = [...text.matchAll(/\(call \$([^\s)]+)/g)].filter(([, name]) => chaining.has(name));
  if (indirect === COMING_BACK && direct.length === 0) return;
  throw new Error(`${indirect} indirect and ${direct.length} direct calls are no tail calls, not ${COMING_BACK} and 0`);
}

/** Rewrites a compiled interpreter in its place. */
export function makeTailCalls(path) {
  const module = binaryen.readBinary(readFileSync(path));
  module.setFeatures(binaryen.Features.All);
  const functions = [];
  for (let index = 0; index < module.getNumFunctions(); index++) {
    const info = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
    if (info.results === binaryen.none && info.body !== 0) functions.push(info);
  }
  const chaining = new Set();
  for (let changed = true; changed; ) {
    changed = false;
    for (const { name, body } of functions) {
      if (convert(body, true, [], chaining) === 0) continue;
      changed = true;
      chaining.add(name);
    }
  }
  checkOthers(module.emitText(), chaining);
  const code = module.emitBinary();
  if (!WebAssembly.validate(code)) throw new Error('the tail calls are not valid');
  writeFileSync(path, code);
  module.dispose();
}
