/** Planted bugs: a real device with one thing wrong, for proving that the oracles find it. */

import type { Rig } from '../../src/fuzz/rig.js';
import { type FuzzTarget, findTarget } from '../../src/fuzz/targets.js';
import type { Device } from '../../src/vmm/device.js';
import { copyState } from '../../src/vmm/state/compare.js';
import { type Field, type Fields, initialValue } from '../../src/vmm/state/fields.js';

type State = Record<string, unknown>;

/** Methods that replace those of the device; they get the device as it was. */
export type Defect = (device: Device, rig: Rig) => Partial<Device>;

/** The target with a defect. */
export function withDefect(name: string, defect: Defect): FuzzTarget {
  const target = findTarget(name);
  return {
    name,
    create: (now) => {
      const rig = target.create(now);
      const { device } = rig;
      const changed = defect(device, rig) as Record<string | symbol, unknown>;
      const proxy = new Proxy(device, {
        get: (original, key) => {
          if (key in changed) return changed[key];
          const value = Reflect.get(original, key) as unknown;
          return typeof value === 'function' ? value.bind(original) : value;
        },
      });
      return { ...rig, device: proxy };
    },
  };
}

/** A field of a table: the names and indices that lead to it. */
export type Path = readonly (string | number)[];

/** The paths of all fields that are neither structs nor exact lists of structs. */
export function leaves(fields: Fields): Path[] {
  return Object.entries(fields).flatMap(([name, field]) => leavesOf(field).map((path) => [name, ...path]));
}

function leavesOf(field: Field): Path[] {
  if (field.kind === 'struct') return leaves(field.fields);
  if (field.kind !== 'array' || field.element.kind !== 'struct') return [[]];
  const inner = leavesOf(field.element);
  return Array.from({ length: field.minLength }, (_, index) => inner.map((path) => [index, ...path])).flat();
}

/** The field at a path, and the object that holds its value. */
function find(fields: Fields, state: State, path: Path): { field: Field; holder: State; key: string } {
  let field: Field = { kind: 'struct', fields, since: 1 };
  let holder = state;
  let value: unknown = state;
  for (const key of path) {
    holder = value as State;
    value = holder[String(key)];
    if (field.kind === 'struct') field = field.fields[String(key)] as Field;
    else if (field.kind === 'array') field = field.element;
  }
  return { field, holder, key: String(path.at(-1)) };
}

/** A device that forgets a field when it is saved: the value after power-on is written instead. */
export function forgetting(name: string, path: Path): FuzzTarget {
  return withDefect(name, (device) => ({
    saveState: () => {
      const state = copyState(device.stateTable, device.saveState());
      const fresh = findTarget(name).create(0).device.saveState();
      const { holder, key, field } = find(device.stateTable.fields, state, path);
      const from = find(device.stateTable.fields, fresh, path);
      holder[key] = from.holder[from.key] ?? initialValue(field);
      return state;
    },
  }));
}
