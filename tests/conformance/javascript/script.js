// The plan, the test records, how results are written: see ../steps.py.
'use strict'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const RECORDS_PER_CODEC = 12
const PATIENCE_MS = 40_000

class NotOffered extends Error {}

class Plan {
  constructor ([bootstrap, secure, ca, prefix, now, ...steps]) {
    Object.assign(this, { bootstrap, secure, ca, prefix, now: Number(now), steps })
  }

  name (suffix) {
    return `${this.prefix}-${suffix}`
  }

  mine (names) {
    return names.filter(each => each.startsWith(`${this.prefix}-`)).map(each => each.slice(this.prefix.length + 1)).sort()
  }

  records (codec) {
    const first = this.now + CODECS.indexOf(codec) * RECORDS_PER_CODEC
    return Array.from({ length: RECORDS_PER_CODEC }, (_, n) => ({
      key: `k${n % 6}`,
      value: `${codec}-${n} ${'x'.repeat(60)}`,
      headers: { codec, n: String(n), empty: '' }, // it cannot send a header of null
      timestamp: String(first + n)
    }))
  }

  shown ({ offset, key, value, headers, timestamp }) {
    const words = Object.entries(headers).map(([name, content]) => `${name}:${content === null ? '<null>' : content}`)
    return `${offset} ${key}=${String(value).split(' ')[0]}/${value.length} +${timestamp - this.now} ${words.join(' ')}`
  }
}

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

// Ask until the answer is settled: Kafka's broker learns of what its controller has done a little later.
async function until (ask, isSettled) {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(20)) {
    const answer = await ask()
    if (isSettled(answer) || Date.now() > deadline) return answer
  }
}

async function awaited (ask, isThere, what) {
  const answer = await until(ask, isThere)
  if (!isThere(answer)) throw new Error(`${what()}`)
  return answer
}

async function takeSteps (plan, version, steps, errorName) {
  const document = { version }
  for (const step of plan.steps) {
    const started = Date.now()
    try {
      document[step] = await steps[step]()
    } catch (error) {
      const name = errorName(error)
      if (error instanceof NotOffered) document[step] = { not_offered: error.message }
      else if (name) document[step] = { error: name }
      else {
        console.error(error)
        document[step] = { failed: String(error) }
      }
    }
    console.error(step, Date.now() - started, 'ms')
  }
  process.stdout.write(JSON.stringify(document) + '\n', () => process.exit(0))
}

module.exports = { CODECS, RECORDS_PER_CODEC, PATIENCE_MS, NotOffered, Plan, until, awaited, takeSteps }
