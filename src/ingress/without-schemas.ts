/** For fastify: no route here has a schema of its own, so what compiles them (ninety modules) is not loaded at the start. */
const refuse = (): never => {
  throw new TypeError('No route has a schema.')
}

export const withoutSchemas = {
  schemaController: { compilersFactory: { buildValidator: () => refuse, buildSerializer: () => refuse } },
} as const
