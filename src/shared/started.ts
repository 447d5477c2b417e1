let due: (() => void) | undefined;

/** What is to be done when this process has started. */
export function onStarted(act: (() => void) | undefined): void {
  due = act;
}

/** Said by what a quick command runs (decision 0074) once it is of use; the second time nothing happens. */
export function started(): void {
  const act = due;
  due = undefined;
  act?.();
}
