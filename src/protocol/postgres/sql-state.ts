/** SQLSTATEs for the gateway's own refusals. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const states = new Map([
  ['HOOP_LOCAL_CREDENTIAL', '28P01'], // invalid_password
  ['HOOP_DENIED', '42501'], // insufficient_privilege
  ['HOOP_RESOURCE_UNREACHABLE', '08001'], // sqlclient_unable_to_establish_sqlconnection
  ['HOOP_AGENT_OFFLINE', '08001'],
  ['HOOP_LIMIT', '53300'], // too_many_connections
  ['HOOP_RECORDER', '58030'], // io_error
  ['HOOP_PROTOCOL', '08P01'], // protocol_violation
]);

/** Everything else ends a connection as an administrator would: admin_shutdown. */
export const sqlStateOf = (code: string): string => states.get(code) ?? '57P01';
