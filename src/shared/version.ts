/** The package's version; a test compares it with package.json. */
export const version = '0.1.0';

/**
 * Versions of tunnel and link handshakes. One minor version of skew works; more, or another major, is refused with an error
 * that names the side to upgrade.
 */
export const handshakeVersion = { major: 1, minor: 1 } as const;
