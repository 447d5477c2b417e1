import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest begins first, so that the end is not one worker's alone: whole programs and proofs before what is pure. */
const slowestFirst = [
  /e2e\/sleep/,
  /fuzz\//,
  /recording\/tamper/,
  /drivers\//,
  /proofs\//,
  /e2e\//,
  /commands\//,
  /client\//,
  /evasion\//,
];

const rank = ({ moduleId }: TestSpecification): number => {
  const found = slowestFirst.findIndex((pattern) => pattern.test(moduleId));
  return found === -1 ? slowestFirst.length : found;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId));
  }
}
