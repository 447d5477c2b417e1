import './colour.ts';

/**
 * What the libraries read from the environment as they are loaded. React's development build, which is what one gets without
 * NODE_ENV=production where nothing is bundled, notes every drawing in Node's performance timeline, and nobody ever empties that: a view
 * that stands for hours would grow without end. DEV=true has Ink look for tools that are not there. Ink draws nothing before the end where
 * CI is set, which it is in many a container that people and coding agents work in; whether there is a terminal was asked before.
 */
const whileLoading = { NODE_ENV: 'production', DEV: 'false', CI: 'false', CONTINUOUS_INTEGRATION: 'false' };

/** Before anything that draws. The variables stand for the time of loading only, because programs that hoop starts must not inherit them. */
export async function loadInk() {
  const before = Object.keys(whileLoading).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, whileLoading);
  try {
    const [ink, react] = await Promise.all([import('ink'), import('react'), import('react/jsx-runtime')]);
    // Not by its name: of a CommonJS module that is bundled there is the default only.
    return { ...ink, createElement: react.default.createElement };
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
