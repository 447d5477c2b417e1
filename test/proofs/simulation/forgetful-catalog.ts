import { Catalog } from '../../../src/store/catalog.ts';

/** A catalog that never has anything: it is derived, so that nothing of the record may depend on it. */
export const forgetfulCatalog = (): Catalog =>
  new Catalog('/', {
    all: () => [],
    run: () => undefined,
    transaction: (act) => act(),
    settle: () => undefined,
    close: () => undefined,
  });
