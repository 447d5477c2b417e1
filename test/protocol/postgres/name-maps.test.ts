import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Names } from '../../../src/protocol/postgres/names.ts';

/** The rules as plainly as they can be said: a list of what was sent, searched from its end. */
class Plain {
  readonly answered = new Map<string, number>();
  readonly sent: { name: string; meaning: number | null; segment: number }[] = [];

  get(name: string, segment: number): number | undefined {
    const change = this.sent.findLast((one) => one.name === name && one.segment === segment);
    return change ? (change.meaning ?? undefined) : this.answered.get(name);
  }

  isUndecided(name: string, segment: number): boolean {
    const change = this.sent.findLast((one) => one.name === name);
    return change !== undefined && change.segment < segment;
  }

  confirm(): void {
    const { name, meaning } = this.sent.shift()!;
    this.answered.delete(name);
    if (meaning !== null) this.answered.set(name, meaning);
  }

  get bytes(): number {
    const all = [...this.answered.values(), ...this.sent.map(({ meaning }) => meaning ?? 0)];
    return all.reduce((sum, bytes) => sum + bytes, 0);
  }
}

const names = ['', 'a', 'b', 'c'];
const act = fc.record({
  what: fc.constantFrom('send', 'send', 'close', 'confirm', 'skip', 'sync', 'forget', 'forget all'),
  name: fc.constantFrom(...names),
  bytes: fc.integer({ min: 1, max: 100 }),
});

it('names mean what a search of all that was sent would find', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const [tested, plain] = [new Names<number>((bytes) => bytes), new Plain()];
      let segment = 0;
      for (const { what, name, bytes } of acts) {
        const meaning = what === 'send' ? bytes : null;
        if (what === 'sync') segment++;
        else if (what === 'send' || what === 'close') {
          tested.send(name, meaning, segment);
          plain.sent.push({ name, meaning, segment });
        } else if (what === 'forget') {
          tested.forget(name);
          plain.answered.delete(name);
        } else if (what === 'forget all') {
          tested.forgetAll();
          plain.answered.clear();
        } else if (plain.sent.length > 0 && what === 'confirm') {
          tested.confirm();
          plain.confirm();
        } else if (plain.sent.length > 0) {
          const { name: skipped, meaning: of } = plain.sent.shift()!;
          expect(tested.skip()).toEqual({ name: skipped, meaning: of });
        }
        expect(tested.bytes).toBe(plain.bytes);
        expect(tested.hasUndecided(segment)).toBe(plain.sent.some((one) => one.segment < segment));
        for (const one of names) {
          expect(tested.get(one, segment)).toBe(plain.get(one, segment));
          expect(tested.isUndecided(one, segment)).toBe(plain.isUndecided(one, segment));
        }
      }
    }),
    { numRuns: 400 },
  );
});
