/** Every command: what it is called with, what it does in a sentence, where its code is. Others script these names. */
import { type CommandDescription, HOST_AND_PORT, type OptionDescription } from './arguments.ts'
import { DEAD_LETTER_COMMANDS } from './dead-letter-commands.ts'

const FILE = { name: 'FILE', help: 'the pipeline file: its default export is a pipeline' }
const json: OptionDescription = { kind: 'flag', help: 'answer for machines on stdout' }
const dataDir: OptionDescription = {
  kind: 'text',
  value: 'DIR',
  help: 'data directory; default .millrace/<name of the pipeline>',
}
const storedDir: OptionDescription = {
  kind: 'text',
  value: 'DIR',
  help: 'data directory of a run; default the only one in .millrace',
}
const input: OptionDescription = {
  kind: 'list',
  value: 'TOPIC=FILE',
  help: 'read this file (or pattern) into the topic instead of its source; may be repeated',
}
const limit: OptionDescription = { kind: 'whole', value: 'N', help: 'at most N rows; 0: all' }

export const COMMANDS: readonly CommandDescription[] = [
  {
    name: 'run',
    summary: 'Run a pipeline: read its inputs, compute, deliver',
    positionals: [FILE],
    options: {
      'data-dir': dataDir,
      input,
      'until-end': { kind: 'flag', help: 'read the inputs to their end, close every window, deliver, exit' },
      for: { kind: 'duration', value: '30s', help: 'follow the inputs for this long, then stop cleanly' },
      workers: {
        kind: 'whole',
        value: 'N',
        minimum: 1,
        maximum: 64,
        help: 'threads that read and decode plain NDJSON files; default 1',
      },
      strict: { kind: 'flag', help: 'stop at the first record of an input file that its schema refuses' },
      listen: {
        kind: 'text',
        value: 'HOST:PORT',
        help: 'where sources take what is pushed to them; default 127.0.0.1:4401; port 0: any free one',
      },
      'tls-cert': { kind: 'text', value: 'FILE', help: 'PEM: take connections with TLS; with --tls-key' },
      'tls-key': { kind: 'text', value: 'FILE', help: "PEM: the certificate's private key" },
      'trusted-proxy': {
        kind: 'list',
        value: 'NET',
        help: 'address or network (10.0.0.0/8) whose X-Forwarded-For is believed; may be repeated',
      },
      'disk-budget': {
        kind: 'size',
        value: '20GB',
        help: 'what topics, journal and warehouse may take; older records of topics with a retention go first',
      },
      'sink-timeout': {
        kind: 'duration',
        value: '5m',
        help: 'with --until-end: give up on a sink that has committed nothing for so long; default 5m',
      },
      'require-key': { kind: 'flag', help: 'refuse what is pushed without an API key, also from this machine' },
      console: {
        kind: 'optional',
        value: 'HOST:PORT',
        pattern: HOST_AND_PORT,
        help: 'serve the live page, at 127.0.0.1:4400 or there',
      },
      events: { kind: 'flag', help: 'print JSON a line: when it is ready, its progress each second, the summary' },
      json: { kind: 'flag', help: 'print the summary as one JSON document' },
    },
    exclusive: [
      ['until-end', 'for'],
      ['events', 'json'],
    ],
    examples: [
      ['millrace run pipeline.ts', 'follow the sources until Ctrl-C'],
      ['millrace run pipeline.ts --listen 0.0.0.0:4401 --console', 'phones on the network push; a page shows it'],
      ['millrace run pipeline.ts --input readings=export.ndjson --until-end', 'a recorded file to its end'],
      [
        "millrace run pipeline.ts --input 'readings=exports/*.csv' --until-end --data-dir /tmp/trial --json",
        'in a script',
      ],
    ],
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'check',
    summary: 'Say what is wrong or slow in a pipeline before it runs',
    positionals: [FILE],
    options: {
      target: { kind: 'choice', value: 'TARGET', choices: ['duckdb'], help: 'also what cannot be translated for it' },
      json,
    },
    examples: [
      ['millrace check pipeline.ts', 'exit code 1 when there is an error'],
      ['millrace check pipeline.ts --target duckdb', 'which lambdas the oracle cannot recompute'],
    ],
    load: () => import('./commands/check.ts'),
  },
  {
    name: 'plan',
    summary: 'Show what a pipeline will do, as a tree',
    positionals: [FILE],
    options: { json },
    examples: [
      ['millrace plan pipeline.ts', 'topics, steps and outputs'],
      ['millrace plan pipeline.ts --json', 'the same as one JSON document'],
    ],
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'init',
    summary: 'Write a small working pipeline into an empty folder',
    positionals: [
      {
        name: 'DIR',
        help: 'the folder, empty or with a package.json; made when missing; default: here',
        optional: true,
      },
    ],
    options: {},
    examples: [['millrace init my-pipeline', 'a pipeline, its data and its README']],
    load: () => import('./commands/init.ts'),
  },
  {
    name: 'topics list',
    summary: 'List the topics of a data directory',
    positionals: [],
    options: { 'data-dir': storedDir, json },
    examples: [['millrace topics list --data-dir .millrace/activity-tracker', 'names, stored records, bytes']],
    load: () => import('./commands/topics-list.ts'),
  },
  {
    name: 'topics read',
    summary: 'Print the records of a topic',
    positionals: [{ name: 'TOPIC', help: "its name; 'dead_letters' holds the records that were refused" }],
    options: {
      'data-dir': storedDir,
      limit: { ...limit, help: 'at most N records; 0: all; default 20, with --json all' },
      from: { kind: 'whole', value: 'OFFSET', help: 'begin at this record (of each partition); default 0' },
      follow: { kind: 'flag', help: 'go on with what is appended, until Ctrl-C' },
      json: { kind: 'flag', help: 'print each record as a line of JSON' },
    },
    examples: [
      ['millrace topics read processed_activity --data-dir DIR', 'the first records as a table'],
      ['millrace topics read processed_activity --follow --json', 'as they come, beside a run at work'],
    ],
    load: () => import('./commands/topics-read.ts'),
  },
  {
    name: 'query',
    summary: 'Ask the warehouse of a data directory in SQL',
    positionals: [{ name: 'SQL', help: 'one statement, in quotes' }],
    options: {
      'data-dir': storedDir,
      limit: { ...limit, help: 'at most N rows; 0: all; default 100 on a terminal, else all' },
      timeout: {
        kind: 'duration',
        value: '30s',
        help: 'beside a run at work: give up after this long; default 30s, at most 10m',
      },
      json: { kind: 'flag', help: 'print each row as a line of JSON' },
    },
    examples: [
      ['millrace query "SHOW ALL TABLES" --data-dir DIR', 'what there is'],
      [
        'millrace query "SELECT activity_type, count(*) FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED GROUP BY ALL" --data-dir DIR',
        'how often each activity was seen',
      ],
    ],
    load: () => import('./commands/query.ts'),
  },
  {
    name: 'snapshot',
    summary: 'Copy the warehouse to a file that other programs can open',
    positionals: [{ name: 'FILE', help: 'the copy, a DuckDB file' }],
    options: {
      'data-dir': storedDir,
      force: { kind: 'flag', help: 'put it in the place of a file that is there' },
      json: { kind: 'flag', help: 'print path and size as one JSON document' },
    },
    examples: [['millrace snapshot today.duckdb', 'beside a run at work or without one']],
    load: () => import('./commands/snapshot.ts'),
  },
  ...DEAD_LETTER_COMMANDS,
  {
    name: 'verify',
    summary: 'Recompute every window by one SQL query and compare it with what was delivered',
    positionals: [FILE],
    options: {
      'data-dir': dataDir,
      sql: { kind: 'flag', help: 'also print the SQL that recomputes' },
      json,
    },
    examples: [
      [
        'millrace verify pipeline.ts --data-dir DIR',
        'exit code 0: all agree, 1: something differs, or nothing could be compared',
      ],
    ],
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'tap',
    summary: 'Print rows as they pass a step of the pipeline',
    positionals: [FILE, { name: 'STAGE', help: "name of a step; '?' lists them" }],
    options: {
      'data-dir': dataDir,
      input,
      limit: { ...limit, help: 'stop after N rows; 0: never; default 20' },
      follow: { kind: 'flag', help: 'wait for more at the end of the inputs' },
      for: { kind: 'duration', value: '30s', help: 'follow for this long' },
      json: { kind: 'flag', help: 'print each row as a line of JSON' },
    },
    examples: [
      ["millrace tap pipeline.ts '?'", 'the steps'],
      ['millrace tap pipeline.ts activity/filter-1', 'the rows of the run at work'],
      ['millrace tap pipeline.ts activity/filter-1 --input readings=export.ndjson --limit 5', 'what passes the filter'],
    ],
    load: () => import('./commands/tap.ts'),
  },
  {
    name: 'keys make',
    summary: 'Make a key with which clients may send records over HTTP',
    positionals: [{ name: 'NAME', help: 'whose it is: ann-phone' }],
    options: {
      topic: { kind: 'list', value: 'TOPIC', help: 'it may send to this topic alone; may be repeated; default all' },
      expires: { kind: 'duration', value: '90d', help: 'how long it lets one in; default for ever' },
      'data-dir': { ...storedDir, help: 'data directory, made when missing; default the only one in .millrace' },
      json,
    },
    examples: [
      ['millrace keys make ann-phone', 'for all topics'],
      ['millrace keys make gateway --topic raw_sensor_data --expires 90d --data-dir DIR', 'for one topic, for 90 days'],
    ],
    load: () => import('./commands/keys-make.ts'),
  },
  {
    name: 'keys list',
    summary: 'List the keys of a data directory: whose they are, for what, last used when',
    positionals: [],
    options: { 'data-dir': storedDir, json },
    examples: [['millrace keys list --data-dir DIR', 'revoked and expired ones too; no key is shown again']],
    load: () => import('./commands/keys-list.ts'),
  },
  {
    name: 'keys revoke',
    summary: 'Revoke a key: within a second it lets nobody in any more',
    positionals: [{ name: 'NAME|ID', help: 'its name or its id' }],
    options: { 'data-dir': storedDir, json },
    examples: [['millrace keys revoke ann-phone', 'also while the pipeline runs']],
    load: () => import('./commands/keys-revoke.ts'),
  },
  {
    name: 'simulate phones',
    summary: 'Simulated phones: their readings as lines of JSON, or pushed over HTTP',
    positionals: [],
    options: {
      people: { kind: 'whole', value: 'N', minimum: 1, help: 'persons with a phone each; default 5' },
      for: { kind: 'duration', value: '10m', help: 'simulated time; default 1m, with --rate realtime without end' },
      rate: {
        kind: 'choice',
        value: 'RATE',
        choices: ['realtime', 'max'],
        help: 'how fast readings are given; default max, with --to realtime',
      },
      hz: { kind: 'whole', value: 'N', minimum: 1, help: 'readings a second of each sensor; default 50' },
      seed: { kind: 'whole', value: 'N', help: 'the same seed and start give the same bytes; default 1' },
      start: {
        kind: 'text',
        value: 'TIME',
        help: "first event time: ISO 8601, 'now' or 'now-1m'; default 2026-01-01T00:00:00Z, in real time now",
      },
      faults: {
        kind: 'text',
        value: 'LIST',
        help: 'of late, duplicate, out-of-order, offline, clock-ahead, malformed, with --to also retry, reorder, timeout (each =RATE), or all',
      },
      output: { kind: 'text', value: 'FILE', help: 'write there instead of stdout (the file is begun anew)' },
      to: { kind: 'text', value: 'URL', help: 'push there as the app Sensor Logger does, until what was sent is kept' },
      every: { kind: 'duration', value: '1s', help: 'with --to: how long a phone gathers for a message; default 1s' },
      connections: {
        kind: 'whole',
        value: 'N',
        minimum: 1,
        maximum: 10_000,
        help: 'with --to: connections at once; default one a phone, at most 256',
      },
      json: { kind: 'flag', help: 'with --to: the summary as one JSON document' },
    },
    exclusive: [['output', 'to']],
    examples: [
      ['millrace simulate phones --people 20 --for 10m --seed 7 --output phones.ndjson', 'a file to try things on'],
      [
        'millrace simulate phones --rate realtime --start now-1m --faults late,duplicate',
        'live, with a past of a minute',
      ],
      ['millrace simulate phones --for 5m --faults all --start 2026-01-01T00:00:00Z', 'everything that goes wrong'],
      ['millrace simulate phones --to http://127.0.0.1:4401/sensor-logger --faults all', 'push to a pipeline at work'],
    ],
    load: () => import('./commands/simulate-phones.ts'),
  },
]
