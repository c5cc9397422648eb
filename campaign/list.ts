/** The campaigns that there are: the files of `campaigns/`. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Campaign, PlantedFault } from './contract.ts'

const FOLDER = join(import.meta.dirname, 'campaigns')

export const NAMES: readonly string[] = readdirSync(FOLDER)
  .filter(name => name.endsWith('.ts'))
  .map(name => name.slice(0, -3))
  .sort()

export async function loadCampaign(name: string): Promise<Campaign> {
  const loaded = (await import(join(FOLDER, `${name}.ts`))) as { default: Campaign }
  return loaded.default
}

/** Every fault that can be planted, with the campaign that it belongs to. */
export async function plantedFaults(): Promise<{ campaign: string; fault: PlantedFault }[]> {
  const found: { campaign: string; fault: PlantedFault }[] = []
  for (const campaign of NAMES) {
    for (const fault of (await loadCampaign(campaign)).plants) found.push({ campaign, fault })
  }
  return found
}
