/** The steps that need nothing but the row: they fuse into one loop over a batch. */
import type { DeriveNode, FilterNode, ProjectNode, RequireNode } from '../plan/nodes.ts'

export type StatelessNode = FilterNode | RequireNode | DeriveNode | ProjectNode
