/** Who needs which segment: sessions that have entries there, and readers. */
export class SegmentUses {
  readonly #users = new Map<number, Set<object>>();

  get isEmpty(): boolean {
    return this.#users.size === 0;
  }

  has(segment: number): boolean {
    return this.#users.has(segment);
  }

  add(segment: number, user: object): void {
    const users = this.#users.get(segment) ?? new Set();
    users.add(user);
    this.#users.set(segment, users);
  }

  /** The segments that this one needs. */
  of(user: object): number[] {
    return [...this.#users].filter(([, users]) => users.has(user)).map(([segment]) => segment);
  }

  /** The user needs no more than those for which `keep` holds; gives the segments that nobody needs now. */
  release(user: object, keep: (segment: number) => boolean = () => false): number[] {
    return this.of(user).filter((segment) => {
      const users = this.#users.get(segment)!;
      if (!keep(segment)) users.delete(user);
      return users.size === 0 && this.#users.delete(segment);
    });
  }
}
