/** The commands on records that were refused. */
import type { CommandDescription, OptionDescription } from './arguments.ts'

const dataDir: OptionDescription = {
  kind: 'text',
  value: 'DIR',
  help: 'data directory of a run; default the only one in .millrace',
}
const topic: OptionDescription = { kind: 'text', value: 'T', help: 'only those of this topic' }
const code: OptionDescription = { kind: 'text', value: 'C', help: 'only those with this code: RECORD_INVALID' }
const number: OptionDescription = { kind: 'list', value: 'N', help: 'this letter: 0/17; may be repeated' }
const json: OptionDescription = { kind: 'flag', help: 'answer for machines on stdout' }

export const DEAD_LETTER_COMMANDS: readonly CommandDescription[] = [
  {
    name: 'deadletters list',
    summary: 'Count the refused records by topic and reason',
    positionals: [],
    options: { 'data-dir': dataDir, topic, code, json },
    examples: [['millrace deadletters list', 'how many, why, since when, and one of each']],
    load: () => import('./commands/deadletters-list.ts'),
  },
  {
    name: 'deadletters show',
    summary: 'Show one refused record: the reason, where it came from, and the place in it',
    positionals: [{ name: 'N', help: 'its number: 0/17; default: the last that the options leave', optional: true }],
    options: { 'data-dir': dataDir, topic, code, json },
    examples: [
      ['millrace deadletters show 0/17', 'this one'],
      ['millrace deadletters show --topic readings', 'the last of the topic'],
    ],
    load: () => import('./commands/deadletters-show.ts'),
  },
  {
    name: 'deadletters export',
    summary: 'Write refused records to a file, as they came, to be corrected and sent again',
    positionals: [{ name: 'FILE', help: 'the file; their numbers go to FILE.numbers' }],
    options: {
      'data-dir': dataDir,
      topic,
      code,
      number,
      force: { kind: 'flag', help: 'write over a file that is there' },
      json,
    },
    examples: [['millrace deadletters export wrong.ndjson --topic readings', 'then correct it in an editor']],
    load: () => import('./commands/deadletters-export.ts'),
  },
  {
    name: 'deadletters resend',
    summary: 'Send refused records to their topic again, corrected or as they came',
    positionals: [{ name: 'FILE', help: 'the corrected records, one a line; default: as they came', optional: true }],
    options: {
      'data-dir': dataDir,
      topic: { ...topic, help: 'with FILE: where its records go; else only those of this topic' },
      code,
      number,
      json,
    },
    exclusive: [
      ['number', 'topic'],
      ['number', 'code'],
    ],
    examples: [
      ['millrace deadletters resend wrong.ndjson --topic readings', 'what was corrected'],
      ['millrace deadletters resend --number 0/17 --number 0/18', 'as they came: the schema is another one now'],
      ['millrace deadletters resend --topic readings --code RECORD_INVALID', 'all of a kind'],
    ],
    load: () => import('./commands/deadletters-resend.ts'),
  },
]
