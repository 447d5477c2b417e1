/**
 * Before anything that draws. React's development build, which is what one gets without NODE_ENV=production, notes every drawing in Node's
 * performance timeline, and nobody ever empties that: a view that stands for hours would grow without end. The variable is set for the
 * time of loading only, because programs that hoop starts must not inherit it.
 */
export async function loadInk() {
  const { NODE_ENV: before } = process.env;
  process.env['NODE_ENV'] = 'production';
  try {
    const [ink, react] = await Promise.all([import('ink'), import('react'), import('react/jsx-runtime')]);
    return { ...ink, createElement: react.createElement };
  } finally {
    if (before === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = before;
  }
}
