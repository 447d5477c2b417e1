import * as z from 'zod';
import * as api from '../../shared/api.ts';
import { version } from '../../shared/version.ts';
import { operations, type Asker, type Operation } from './operations.ts';

/** Plain JSON, as OpenAPI 3.1 has it. */
interface JsonObject {
  [name: string]: unknown;
}

const askers: Record<Asker, string> = {
  anybody: 'Anybody, without signing in.',
  'signed-in': 'Whoever is signed in.',
  owner:
    'Users for what is theirs, administrators and auditors for all. What is somebody else’s does not exist for a user (404).',
  reviewer: 'Administrators and auditors.',
  administrator: 'Administrators who signed in within the last ten minutes.',
};

let made: JsonObject | undefined;

/** The API as an OpenAPI 3.1 document, made from the zod schemas that both sides parse with. */
export const openApiDocument = (): JsonObject => (made ??= makeDocument());

function makeDocument(): JsonObject {
  const named = namedSchemas();
  const paths: Record<string, JsonObject> = {};
  for (const operation of operations)
    (paths[api.apiPrefix + operation.path] ??= {})[operation.method] = described(operation, named);
  return {
    openapi: '3.1.0',
    info: {
      title: 'hoop gateway',
      version,
      description:
        'What the command line uses. Times are RFC 3339 in UTC with milliseconds. Access tokens are bound to a key (RFC 9449): each request has a DPoP proof.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths,
    components: {
      schemas: named.schemas,
      responses: {
        error: {
          description: 'What happened, and what to do next.',
          ...json({ $ref: '#/components/schemas/ApiError' }),
        },
      },
      securitySchemes: {
        dpop: { type: 'http', scheme: 'DPoP', description: 'An access token of the gateway, and the header DPoP.' },
      },
    },
  };
}

interface NamedSchemas {
  schemas: JsonObject;
  /** A reference to one that has a name, else the schema itself. */
  refer: (schema: z.ZodType) => JsonObject;
}

const reference = (name: string): string => `#/components/schemas/${name}`;

function namedSchemas(): NamedSchemas {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(api))
    if (schema instanceof z.ZodType && !name.endsWith('QuerySchema'))
      registry.add(schema, { id: name[0]!.toUpperCase() + name.slice(1, -'Schema'.length) });
  const { schemas } = z.toJSONSchema(registry, { uri: reference, io: 'input' });
  return {
    schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, bare(schema as JsonObject)])),
    refer: (schema) => {
      const name = registry.get(schema)?.id;
      return name === undefined ? bare(z.toJSONSchema(schema, { io: 'input' })) : { $ref: reference(name) };
    },
  };
}

const bare = ({ $schema: _dialect, $id: _id, '~standard': _standard, ...rest }: JsonObject): JsonObject => rest;

const json = (schema: JsonObject): JsonObject => ({ content: { 'application/json': { schema } } });

function described({ method, path, summary, asker, query, body, answer }: Operation, named: NamedSchemas): JsonObject {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return {
    operationId: operationId(method, path),
    summary,
    description: askers[asker],
    security: asker === 'anybody' ? [] : [{ dpop: [] }],
    parameters: [...parameters, ...(query ? queryParameters(query) : [])],
    ...(body && { requestBody: { required: !body.safeParse({}).success, ...json(named.refer(body)) } }),
    responses: { ...answered(answer, named), default: { $ref: '#/components/responses/error' } },
  };
}

/** `get /sessions/{id}/streams` → `getSessionsIdStreams`. */
const operationId = (method: string, path: string): string =>
  method + path.replaceAll(/[^a-zA-Z]+(\w?)/g, (_, letter: string) => letter.toUpperCase());

/** What is parsed from text is described as what it becomes. */
function queryParameters(query: z.ZodObject): JsonObject[] {
  const { properties = {} } = z.toJSONSchema(query, { io: 'output' });
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !query.shape[name]!.safeParse(undefined).success,
    schema: schema as JsonObject,
  }));
}

function answered(answer: Operation['answer'], named: NamedSchemas): JsonObject {
  if (!answer) return { 204: { description: 'Done.' } };
  if ('type' in answer) return { 200: { description: answer.what, content: { [answer.type]: { schema: {} } } } };
  const { status = 200, schema } = answer;
  return { [status]: { description: status === 201 ? 'Made.' : 'As asked.', ...json(named.refer(schema)) } };
}
