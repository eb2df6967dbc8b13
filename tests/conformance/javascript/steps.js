// The steps with KafkaJS.
'use strict'

const fs = require('node:fs')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, AssignerProtocol, logLevel } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const lz4 = require('lz4js')
const xxh32 = require('lz4js/xxh32')
const zstd = require('@bokuweb/zstd-wasm')
const { CODECS, RECORDS_PER_CODEC, NotOffered, Plan, until, awaited, takeSteps } = require('./script.js')

const RETENTION_MS = '7200000'
const PARTITIONS = 3
const SOURCES = { 1: 'DYNAMIC_TOPIC_CONFIG', 3: 'DYNAMIC_DEFAULT_BROKER_CONFIG', 4: 'STATIC_BROKER_CONFIG', 5: 'DEFAULT_CONFIG' }

// KafkaJS brings gzip only; the others are given to it, as its documentation says.
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => withIndependentBlocks(Buffer.from(lz4.compress(encoder.buffer))),
  decompress: async buffer => Buffer.from(lz4.decompress(buffer))
})
// Kafka refuses frames whose blocks lean on those before them. A frame of one block cannot, but lz4js says that it might.
function withIndependentBlocks (frame) {
  frame[4] |= 0x20
  frame[6] = (xxh32.hash(0, frame, 4, 2) >> 8) & 0xff
  return frame
}
const zstdIsReady = zstd.init()
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => zstdIsReady.then(() => Buffer.from(zstd.compress(encoder.buffer))),
  decompress: async buffer => zstdIsReady.then(() => Buffer.from(zstd.decompress(buffer)))
})
const COMPRESSION = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }

function errorName (error) {
  if (error.type) return error.type
  if (error.errors) return errorName(error.errors[0])
  if (error.groups) return errorName(error.groups[0].error)
  if (error.partitions) return errorName(error.partitions[0].error)
  if (error.name === 'KafkaJSNumberOfRetriesExceeded' && error.cause) return errorName(error.cause)
  return error.name.startsWith('KafkaJS') ? error.name : ''
}

const plan = new Plan(process.argv.slice(2))
const main = plan.name('main')
const group = plan.name('readers')
const retry = { retries: 8, initialRetryTime: 100, maxRetryTime: 500 }
const kafka = new Kafka({ clientId: 'kafkajs', brokers: [plan.bootstrap], logLevel: logLevel.NOTHING, retry })
const hasty = new Kafka({ brokers: [plan.bootstrap], logLevel: logLevel.NOTHING, retry: { ...retry, retries: 1 } })
const admin = kafka.admin()
const partitions = Array.from({ length: PARTITIONS }, (_, number) => number)

// -- topics and configs

async function create (topic, numPartitions = 1, replicationFactor = 1, configs = {}) {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  const isNew = await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor, configEntries }] })
  if (!isNew) return { error: 'TOPIC_ALREADY_EXISTS' } // it answers false where others raise an error
  // Its producer gives up on a leader that knows its new partition a moment later than the controller.
  await until(() => admin.fetchTopicOffsets(topic).catch(() => []), found => found.length > 0)
  return 'created'
}

async function describe (topic) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0].partitions.sort((a, b) => a.partitionId - b.partitionId)
}

const topics = async () => plan.mine(await admin.listTopics())

async function alter (name, value) {
  await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: main, configEntries: [{ name, value }] }] })
  return 'altered'
}

async function configs () {
  const { resources } = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: main }] })
  const shown = resources[0].configEntries.map(each => [each.configName, [each.configValue, SOURCES[each.configSource],
    ...(each.readOnly ? ['read-only'] : []), ...(each.isSensitive ? ['sensitive'] : [])].join(' ')])
  return Object.fromEntries(shown.sort())
}

async function grow (count) {
  await admin.createPartitions({ topicPartitions: [{ topic: plan.name('grown'), count }] })
  return until(async () => (await describe(plan.name('grown'))).length, length => length === count)
}

const topicSteps = {
  async describe_cluster () {
    await admin.connect()
    const { brokers, controller, clusterId } = await admin.describeCluster()
    return { nodes: brokers.map(each => each.nodeId), controller, has_cluster_id: Boolean(clusterId) }
  },
  create_topic: () => create(main, PARTITIONS, 1, { 'retention.ms': '86400000' }),
  create_topic_again: () => create(main, PARTITIONS),
  create_topic_bad_name: () => create(`${main} and more`),
  create_topic_bad_config: () => create(plan.name('bad'), 1, 1, { 'retention.ms': 'soon' }),
  create_topic_too_many_replicas: () => create(plan.name('bad'), 1, 3),
  async describe_topic () {
    return (await describe(main)).map(each => [each.partitionId, each.leader, each.replicas, each.isr])
  },
  describe_unknown_topic: () => describe(plan.name('unknown')),
  list_topics: () => until(topics, names => names.length > 0),
  alter_config: () => alter('retention.ms', RETENTION_MS),
  describe_config: () => until(configs, found => found['retention.ms'].startsWith(RETENTION_MS)),
  alter_config_unknown_name: () => alter('nope', '1'),
  alter_config_bad_value: () => alter('cleanup.policy', 'tidy'),
  async create_partitions () {
    await create(plan.name('grown'))
    return grow(3)
  },
  create_partitions_fewer: () => grow(2)
}

// -- produce

async function send (topic, messages, compression = 'none', client = kafka) {
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    const sent = await producer.send({ topic, messages, acks: -1, compression: CompressionTypes[COMPRESSION[compression]] })
    return sent.map(each => `${each.partition}:${each.baseOffset}`).sort()
  } finally {
    await producer.disconnect()
  }
}

async function offsets () {
  const found = await admin.fetchTopicOffsets(main)
  return Object.fromEntries(found.map(each => [each.partition, [Number(each.low), Number(each.high)]]))
}

const produceSteps = {
  ...Object.fromEntries(CODECS.map(codec => [`produce_${codec}`, () => send(main, plan.records(codec), codec)])),
  async produce_too_large () {
    await create(plan.name('small'), 1, 1, { 'max.message.bytes': '1000' })
    return send(plan.name('small'), [{ value: 'x'.repeat(5000) }])
  },
  produce_to_unknown_topic: () => send(plan.name('unknown'), [{ value: 'x' }], 'none', hasty),
  async produce_too_old () {
    await create(plan.name('fresh'), 1, 1, { 'message.timestamp.before.max.ms': '3600000' })
    return send(plan.name('fresh'), [{ value: 'x', timestamp: String(plan.now - 7200000) }])
  },
  async produce_without_key_to_compacted () {
    await create(plan.name('compacted'), 1, 1, { 'cleanup.policy': 'compact' })
    return send(plan.name('compacted'), [{ value: 'x' }])
  },
  list_offsets: offsets,
  async offsets_for_times () {
    const found = await admin.fetchTopicOffsetsByTimestamp(main, plan.now + 30)
    return Object.fromEntries(found.map(each => [each.partition, each.offset]))
  }
}

// -- consumer groups

let members = []

// A running consumer: what it has read, and what it owns.
async function join (groupId, topic, more = {}, client = kafka) {
  const consumer = client.consumer({ groupId, heartbeatInterval: 300, maxWaitTimeInMs: 50, ...more })
  const member = { consumer, records: [], owned: [], crash: null }
  consumer.on(consumer.events.CRASH, ({ payload }) => { member.crash = payload.error })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { member.owned = payload.memberAssignment[topic] ?? [] })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => { member.records.push({ partition, ...message }) }
  })
  return member
}

async function read (member, isEnough) {
  await awaited(() => member.records, isEnough, () => `read ${member.records.length} records only; ${member.crash?.stack}`)
  return member.records
}

function byPartition (records, shown) {
  return Object.fromEntries(partitions.map(number => [number, records.filter(each => each.partition === number).map(shown)]))
}

async function leave () {
  for (const { consumer } of members) await consumer.disconnect()
  members = []
}

async function committed (groupId, ofTopics) {
  const found = await admin.fetchOffsets({ groupId, topics: ofTopics })
  return Object.fromEntries(found.flatMap(each => each.partitions).map(each => [each.partition, `${each.offset} ${each.metadata}`]))
}

function assignment (encoded) {
  return encoded.length ? AssignerProtocol.MemberAssignment.decode(encoded).assignment[main] : []
}

async function described () {
  const { groups: [found] } = await admin.describeGroups([group])
  const owned = found.members.flatMap(each => assignment(each.memberAssignment))
  return {
    state: found.state,
    protocol: [found.protocolType, found.protocol],
    members: found.members.length,
    assigned: owned.sort(),
    hosts: [...new Set(found.members.map(each => each.clientHost))]
  }
}

async function groups () {
  const { groups: all } = await admin.listGroups()
  return all.flatMap(each => plan.mine([each.groupId]).map(name => `${name} ${each.protocolType}`)).sort()
}

async function deleteGroup () {
  await admin.deleteGroups([group])
  return groups()
}

const groupSteps = {
  async consume_all () {
    members = [await join(group, main)]
    const found = await read(members[0], records => records.length === CODECS.length * RECORDS_PER_CODEC)
    return byPartition(found, each => plan.shown(each))
  },
  async commit () {
    const half = Object.entries(await offsets()).map(([number, [, end]]) =>
      ({ topic: main, partition: Number(number), offset: String(Math.floor(end / 2)), metadata: 'half' }))
    await members[0].consumer.commitOffsets(half)
    return committed(group, [main])
  },
  async rebalance () {
    members.push(await join(group, main))
    const owned = () => members.map(each => each.owned)
    const isBalanced = all => all.every(each => each.length > 0) && new Set(all.flat()).size === PARTITIONS &&
      all.flat().length === PARTITIONS
    const found = await awaited(owned, isBalanced, () => `the members own ${JSON.stringify(owned())}`)
    return { sizes: found.map(each => each.length).sort(), owned: found.flat().sort() }
  },
  describe_group: () => until(described, found => found.state === 'Stable'),
  delete_group_with_members: deleteGroup,
  async resume () {
    await leave()
    const left = Object.values(await offsets()).reduce((sum, [, end]) => sum + end - Math.floor(end / 2), 0)
    members = [await join(group, main)]
    const found = await read(members[0], records => records.length === left)
    await leave()
    return byPartition(found, each => Number(each.offset))
  },
  describe_empty_group: described,
  list_groups: groups,
  async lag () {
    const [ends, done] = [await offsets(), await committed(group, [main])]
    return Object.fromEntries(partitions.map(number => [number, ends[number][1] - Number(done[number].split(' ')[0])]))
  },
  async seek_out_of_range () {
    throw new NotOffered('KafkaJS cannot be without an offset reset: it goes to the first or the next record')
  }
}

// -- transactions

let producer = null

function transactional () {
  return kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: plan.name('tx') })
}

// Other clients ask again by themselves while the markers of the transaction before are written.
async function onceTheLastOneEnded (ask) {
  for (const deadline = Date.now() + 20_000; ;) {
    try {
      return await ask()
    } catch (error) {
      if (errorName(error) !== 'CONCURRENT_TRANSACTIONS' || Date.now() > deadline) throw error
    }
  }
}

async function begun (...values) {
  if (producer === null) {
    await create(plan.name('tx'))
    producer = transactional()
    await producer.connect()
  }
  const transaction = await producer.transaction()
  const messages = values.map(value => ({ value }))
  if (values.length) await onceTheLastOneEnded(() => transaction.send({ topic: plan.name('tx'), messages }))
  return transaction
}

async function sendOffset (offset, ...values) {
  const transaction = await begun(...values)
  const topics = [{ topic: main, partitions: [{ partition: 0, offset: String(offset) }] }]
  await onceTheLastOneEnded(() => transaction.sendOffsets({ consumerGroupId: plan.name('tx-readers'), topics }))
  return transaction
}

async function values (topic, last, more, client) {
  const member = await join(plan.name(`${topic}-${more.readUncommitted}`), plan.name(topic), more, client)
  const found = await read(member, records => records.some(each => String(each.value) === last))
  await member.consumer.disconnect()
  return found.map(each => `${each.offset} ${each.value}`)
}

const transactionSteps = {
  async transaction_commit () {
    await (await begun('c0', 'c1')).commit()
    return 'committed'
  },
  async transaction_abort () {
    await (await begun('a0', 'a1')).abort()
    return 'aborted'
  },
  async transaction_offsets () {
    const ask = async () => (await committed(plan.name('tx-readers'), [main]))[0]
    await (await sendOffset(2, 'o0')).commit()
    const first = await until(ask, found => !found.startsWith('-1'))
    await (await sendOffset(3)).abort()
    return [first, await ask()]
  },
  read_committed: () => values('tx', 'o0', { readUncommitted: false }),
  read_uncommitted: () => values('tx', 'o0', { readUncommitted: true }),
  async transaction_fenced () {
    const older = await begun('f0')
    const newer = transactional()
    await newer.connect()
    await newer.transaction()
    await older.commit()
    return 'committed'
  }
}

// -- the consumer protocol

async function noConsumerProtocol () {
  throw new NotOffered('KafkaJS has no consumer protocol (KIP-848)')
}

const consumerProtocolSteps = {
  consumer_protocol: noConsumerProtocol,
  consumer_protocol_rebalance: noConsumerProtocol,
  consumer_protocol_group: noConsumerProtocol
}

// -- security

function loggedIn (mechanism, password = 'alice-secret') {
  const ssl = { ca: [fs.readFileSync(plan.ca, 'utf-8')] }
  const sasl = { mechanism, username: 'alice', password }
  return new Kafka({ brokers: [plan.secure], logLevel: logLevel.NOTHING, retry: { ...retry, retries: 3 }, ssl, sasl })
}

async function listed (client) {
  const secure = client.admin()
  await secure.connect()
  const names = await secure.listTopics()
  await secure.disconnect()
  return names.includes(main)
}

const securitySteps = {
  scram_sha_256: () => listed(loggedIn('scram-sha-256')),
  async scram_sha_512 () {
    const client = loggedIn('scram-sha-512')
    await create(plan.name('secret'))
    await send(plan.name('secret'), [{ value: 'hush' }], 'none', client)
    return values('secret', 'hush', { readUncommitted: false }, client)
  },
  wrong_password: () => listed(loggedIn('scram-sha-512', 'guessed')),
  mechanism_not_enabled: () => listed(loggedIn('plain'))
}

// -- deletion

async function deleteRecords (offset) {
  await admin.deleteTopicRecords({ topic: main, partitions: [{ partition: 0, offset: String(offset) }] })
  return (await offsets())[0][0]
}

async function deleteTopic () {
  await admin.deleteTopics({ topics: [main] })
  return until(topics, names => !names.includes('main'))
}

const deletionSteps = {
  delete_records: () => deleteRecords(3),
  delete_records_beyond_end: () => deleteRecords(1_000_000),
  delete_group: deleteGroup,
  delete_unknown_group: deleteGroup,
  delete_topic: deleteTopic,
  delete_unknown_topic: deleteTopic
}

const steps = {
  ...topicSteps, ...produceSteps, ...groupSteps, ...transactionSteps, ...consumerProtocolSteps, ...securitySteps, ...deletionSteps
}
takeSteps(plan, `KafkaJS ${require('kafkajs/package.json').version}`, steps, errorName)
