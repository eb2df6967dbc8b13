// The steps with Apache Kafka's Java clients. Compiled against 4.3, run with 4.3 and with 3.9, so only what both have is used.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;

import static java.nio.charset.StandardCharsets.UTF_8;

public final class Conformance {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final int RECORDS_PER_CODEC = 12, PARTITIONS = 3;
    static final int ALL_RECORDS = CODECS.size() * RECORDS_PER_CODEC;
    static final String RETENTION_MS = "7200000";
    static final Duration POLL = Duration.ofMillis(50);
    static final long PATIENCE_MS = 40_000;

    final String bootstrap, secure, ca, prefix, main, group, modern;
    final long now;
    final Admin admin;
    final Map<String, Callable<Object>> steps = new LinkedHashMap<>();
    List<KafkaConsumer<String, String>> members = new ArrayList<>();
    KafkaProducer<String, String> transactional;

    public static void main(String[] args) throws Exception {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("version", "kafka-clients " + AppInfoParser.getVersion());
        Conformance script = new Conformance(args);
        for (String step : List.of(args).subList(5, args.length)) {
            long started = System.currentTimeMillis();
            document.put(step, script.take(step));
            System.err.println(step + " " + (System.currentTimeMillis() - started) + " ms");
        }
        System.out.println(json(document));
        System.exit(0); // clients that were refused still have threads
    }

    Conformance(String[] args) {
        bootstrap = args[0];
        secure = args[1];
        ca = args[2];
        prefix = args[3];
        now = Long.parseLong(args[4]);
        main = name("main");
        group = name("readers");
        modern = name("modern");
        admin = Admin.create(config(Map.of()));
        topicSteps();
        produceSteps();
        groupSteps();
        transactionSteps();
        consumerProtocolSteps();
        securitySteps();
        deletionSteps();
    }

    Object take(String step) {
        try {
            return steps.get(step).call();
        } catch (Exception raised) {
            Throwable error = raised instanceof ExecutionException ? raised.getCause() : raised;
            if (!(error instanceof org.apache.kafka.common.KafkaException)) {
                error.printStackTrace();
                return Map.of("failed", String.valueOf(error));
            }
            Errors known = Errors.forException(error);
            return Map.of("error", known == Errors.UNKNOWN_SERVER_ERROR ? error.getClass().getSimpleName() : known.name());
        }
    }

    String name(String suffix) {
        return prefix + "-" + suffix;
    }

    Map<String, Object> config(Map<String, ?> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
        config.putAll(more);
        return config;
    }

    static <T> T wait(Future<T> future) throws Exception {
        return future.get(PATIENCE_MS, java.util.concurrent.TimeUnit.MILLISECONDS);
    }

    // Asks until the answer is settled: Kafka's broker learns of what its controller has done a little later.
    static <T> T until(Callable<T> ask, Predicate<T> isSettled) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (true) {
            T answer = ask.call();
            if (isSettled.test(answer) || System.currentTimeMillis() > deadline) {
                return answer;
            }
            Thread.sleep(20);
        }
    }

    // -- topics and configs

    void topicSteps() {
        steps.put("describe_cluster", () -> {
            DescribeClusterResult found = admin.describeCluster();
            return sorted(Map.of("nodes", wait(found.nodes()).stream().map(each -> each.id()).toList(),
                "controller", wait(found.controller()).id(), "has_cluster_id", !wait(found.clusterId()).isEmpty()));
        });
        steps.put("create_topic", () -> create(main, PARTITIONS, 1, Map.of("retention.ms", "86400000")));
        steps.put("create_topic_again", () -> create(main, PARTITIONS, 1, Map.of()));
        steps.put("create_topic_bad_name", () -> create(main + " and more", 1, 1, Map.of()));
        steps.put("create_topic_bad_config", () -> create(name("bad"), 1, 1, Map.of("retention.ms", "soon")));
        steps.put("create_topic_too_many_replicas", () -> create(name("bad"), 1, 3, Map.of()));
        steps.put("describe_topic", () -> {
            TopicDescription found = describe(main);
            return Map.of("is_internal", found.isInternal(), "partitions", found.partitions().stream().map(each ->
                List.of(each.partition(), each.leader().id(), each.replicas().stream().map(node -> node.id()).toList(),
                    each.isr().stream().map(node -> node.id()).toList())).toList());
        });
        steps.put("describe_unknown_topic", () -> describe(name("unknown")));
        steps.put("list_topics", () -> until(this::topics, names -> !names.isEmpty()));
        steps.put("alter_config", () -> alter("retention.ms", RETENTION_MS));
        steps.put("describe_config", () -> until(this::configs, shown -> shown.get("retention.ms").startsWith(RETENTION_MS)));
        steps.put("alter_config_unknown_name", () -> alter("nope", "1"));
        steps.put("alter_config_bad_value", () -> alter("cleanup.policy", "tidy"));
        steps.put("create_partitions", () -> {
            create(name("grown"), 1, 1, Map.of());
            return grow(3);
        });
        steps.put("create_partitions_fewer", () -> grow(2));
    }

    Object create(String topic, int partitions, int replicas, Map<String, String> configs) throws Exception {
        NewTopic asked = new NewTopic(topic, partitions, (short) replicas).configs(configs);
        wait(admin.createTopics(List.of(asked)).all());
        until(() -> wait(admin.listTopics().names()), names -> names.contains(topic));
        return "created";
    }

    TopicDescription describe(String topic) throws Exception {
        return wait(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    List<String> topics() throws Exception {
        return wait(admin.listTopics().names()).stream().filter(each -> each.startsWith(prefix + "-"))
            .map(each -> each.substring(prefix.length() + 1)).sorted().toList();
    }

    Object alter(String key, String value) throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, main);
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        wait(admin.incrementalAlterConfigs(Map.of(topic, List.of(change))).all());
        return "altered";
    }

    Map<String, String> configs() throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, main);
        Map<String, String> shown = new TreeMap<>();
        for (ConfigEntry each : wait(admin.describeConfigs(List.of(topic)).all()).get(topic).entries()) {
            shown.put(each.name(), each.value() + " " + each.source() + " " + each.type()
                + (each.isReadOnly() ? " read-only" : "") + (each.isSensitive() ? " sensitive" : ""));
        }
        return shown;
    }

    Object grow(int partitions) throws Exception {
        wait(admin.createPartitions(Map.of(name("grown"), NewPartitions.increaseTo(partitions))).all());
        return until(() -> describe(name("grown")).partitions().size(), count -> count == partitions);
    }

    // -- produce

    void produceSteps() {
        for (String codec : CODECS) {
            steps.put("produce_" + codec, () -> produce(codec));
        }
        steps.put("produce_too_large", () -> {
            create(name("small"), 1, 1, Map.of("max.message.bytes", "1000"));
            return send(Map.of(), List.of(new ProducerRecord<>(name("small"), "x".repeat(5000))));
        });
        steps.put("produce_to_unknown_topic", () ->
            send(Map.of("max.block.ms", 1500), List.of(new ProducerRecord<>(name("unknown"), "x"))));
        steps.put("produce_too_old", () -> {
            create(name("fresh"), 1, 1, Map.of("message.timestamp.before.max.ms", "3600000"));
            return send(Map.of(), List.of(new ProducerRecord<>(name("fresh"), 0, now - 7200000, "k", "x")));
        });
        steps.put("produce_without_key_to_compacted", () -> {
            create(name("compacted"), 1, 1, Map.of("cleanup.policy", "compact"));
            return send(Map.of(), List.of(new ProducerRecord<>(name("compacted"), "x")));
        });
        steps.put("list_offsets", () -> {
            Map<Integer, Long> first = offsets(OffsetSpec.earliest()), end = offsets(OffsetSpec.latest());
            return byPartition(number -> List.of(first.get(number), end.get(number)));
        });
        steps.put("offsets_for_times", () -> offsets(OffsetSpec.forTimestamp(now + 30)));
    }

    Object produce(String codec) throws Exception {
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        long first = now + (long) CODECS.indexOf(codec) * RECORDS_PER_CODEC;
        for (int number = 0; number < RECORDS_PER_CODEC; number++) {
            List<Header> headers = List.of(header("codec", codec), header("n", "" + number), header("empty", ""),
                new RecordHeader("nothing", null));
            records.add(new ProducerRecord<>(main, null, first + number, "k" + number % 6,
                codec + "-" + number + " " + "x".repeat(60), headers));
        }
        return send(Map.of("compression.type", codec), records);
    }

    static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(UTF_8));
    }

    List<String> send(Map<String, ?> more, List<ProducerRecord<String, String>> records) throws Exception {
        Map<String, Object> config = config(Map.of("acks", "all", "enable.idempotence", true, "linger.ms", 5));
        config.putAll(more);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer =
                 new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            records.forEach(each -> sent.add(producer.send(each)));
        }
        List<String> places = new ArrayList<>();
        for (Future<RecordMetadata> each : sent) {
            places.add(wait(each).partition() + ":" + wait(each).offset());
        }
        Collections.sort(places);
        return places;
    }

    Map<Integer, Long> offsets(OffsetSpec spec) throws Exception {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        mainPartitions().forEach(each -> asked.put(each, spec));
        Map<Integer, Long> found = new TreeMap<>();
        wait(admin.listOffsets(asked).all()).forEach((each, at) -> found.put(each.partition(), at.offset()));
        return found;
    }

    List<TopicPartition> mainPartitions() {
        List<TopicPartition> all = new ArrayList<>();
        for (int number = 0; number < PARTITIONS; number++) {
            all.add(new TopicPartition(main, number));
        }
        return all;
    }

    static Map<Integer, Object> byPartition(java.util.function.IntFunction<Object> result) {
        Map<Integer, Object> all = new TreeMap<>();
        for (int number = 0; number < PARTITIONS; number++) {
            all.put(number, result.apply(number));
        }
        return all;
    }

    // -- consumer groups

    void groupSteps() {
        steps.put("consume_all", () -> {
            members = new ArrayList<>(List.of(joined(group, Map.of())));
            List<ConsumerRecord<String, String>> found = read(members.get(0), all -> all.size() == ALL_RECORDS);
            return byPartition(number -> found.stream().filter(each -> each.partition() == number).map(this::shown).toList());
        });
        steps.put("commit", () -> {
            Map<TopicPartition, OffsetAndMetadata> half = new HashMap<>();
            offsets(OffsetSpec.latest()).forEach((number, end) ->
                half.put(new TopicPartition(main, number), new OffsetAndMetadata(end / 2, "half")));
            members.get(0).commitSync(half);
            Map<TopicPartition, OffsetAndMetadata> found = members.get(0).committed(new HashSet<>(mainPartitions()));
            return byPartition(number -> found.get(new TopicPartition(main, number)).offset() + " "
                + found.get(new TopicPartition(main, number)).metadata());
        });
        steps.put("rebalance", () -> rebalance(joined(group, Map.of())));
        steps.put("describe_group", () -> described(group));
        steps.put("delete_group_with_members", () -> deleteGroup(group));
        steps.put("resume", () -> {
            leave();
            long left = offsets(OffsetSpec.latest()).values().stream().mapToLong(end -> end - end / 2).sum();
            try (KafkaConsumer<String, String> member = joined(group, Map.of())) {
                List<ConsumerRecord<String, String>> found = read(member, all -> all.size() == left);
                return byPartition(number ->
                    found.stream().filter(each -> each.partition() == number).map(ConsumerRecord::offset).toList());
            }
        });
        steps.put("describe_empty_group", () -> described(group));
        steps.put("list_groups", this::groups);
        steps.put("lag", () -> {
            Map<Integer, Long> end = offsets(OffsetSpec.latest()), committed = committed(group);
            return byPartition(number -> end.get(number) - committed.get(number));
        });
        steps.put("seek_out_of_range", () -> {
            try (KafkaConsumer<String, String> consumer = consumer(name("lost"), Map.of("auto.offset.reset", "none"))) {
                consumer.assign(List.of(new TopicPartition(main, 0)));
                consumer.seek(new TopicPartition(main, 0), 1_000_000);
                return read(consumer, all -> !all.isEmpty()).size();
            }
        });
    }

    KafkaConsumer<String, String> consumer(String group, Map<String, ?> more) {
        Map<String, Object> config = config(Map.of("group.id", group, "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "fetch.max.wait.ms", 50));
        if (!"consumer".equals(more.get("group.protocol"))) { // there the broker says how often
            config.put("heartbeat.interval.ms", 300);
        }
        config.putAll(more);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    KafkaConsumer<String, String> joined(String group, Map<String, ?> more) {
        KafkaConsumer<String, String> consumer = consumer(group, more);
        consumer.subscribe(List.of(main));
        return consumer;
    }

    static List<ConsumerRecord<String, String>> read(
            KafkaConsumer<String, String> consumer, Predicate<List<ConsumerRecord<String, String>>> isEnough) {
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (!isEnough.test(found)) {
            consumer.poll(POLL).forEach(found::add);
            if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException("read " + found.size() + " records only");
            }
        }
        return found;
    }

    String shown(ConsumerRecord<String, String> record) {
        StringJoiner headers = new StringJoiner(" ");
        for (Header each : record.headers()) {
            headers.add(each.key() + ":" + (each.value() == null ? "<null>" : new String(each.value(), UTF_8)));
        }
        return record.offset() + " " + record.key() + "=" + record.value().split(" ")[0] + "/" + record.value().length()
            + " +" + (record.timestamp() - now) + " " + headers;
    }

    Object rebalance(KafkaConsumer<String, String> joined) {
        members.add(joined);
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (true) {
            members.forEach(each -> each.poll(POLL));
            List<Set<TopicPartition>> owned = members.stream().map(KafkaConsumer::assignment).toList();
            Set<Integer> numbers = new TreeSet<>();
            owned.forEach(each -> each.forEach(partition -> numbers.add(partition.partition())));
            List<Integer> sizes = owned.stream().map(Set::size).sorted().toList();
            if (sizes.get(0) > 0 && sizes.stream().mapToInt(each -> each).sum() == PARTITIONS && numbers.size() == PARTITIONS) {
                return sorted(Map.of("sizes", sizes, "are_disjoint", Collections.disjoint(owned.get(0), owned.get(1)),
                    "owned", numbers));
            }
            if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException("the members own " + owned);
            }
        }
    }

    Object described(String group) throws Exception {
        ConsumerGroupDescription found = until(() -> wait(admin.describeConsumerGroups(List.of(group)).all()).get(group),
            each -> List.of("Stable", "Empty").contains(each.state().toString()));
        List<Integer> assigned = found.members().stream().flatMap(each -> each.assignment().topicPartitions().stream())
            .map(TopicPartition::partition).sorted().toList();
        return sorted(Map.of("state", found.state(), "type", found.type(), "assignor", found.partitionAssignor(),
            "coordinator", found.coordinator().id(), "members", found.members().size(), "assigned", assigned,
            "hosts", new TreeSet<>(found.members().stream().map(MemberDescription::host).toList()),
            "is_simple", found.isSimpleConsumerGroup()));
    }

    Object deleteGroup(String group) throws Exception {
        wait(admin.deleteConsumerGroups(List.of(group)).all());
        return groups();
    }

    void leave() {
        members.forEach(KafkaConsumer::close);
        members = new ArrayList<>();
    }

    List<String> groups() throws Exception {
        return wait(admin.listConsumerGroups().valid()).stream().filter(each -> each.groupId().startsWith(prefix + "-"))
            .map(each -> each.groupId().substring(prefix.length()) + " " + each.state().get() + " " + each.type().get()
                + (each.isSimpleConsumerGroup() ? " simple" : "")).sorted().toList();
    }

    Map<Integer, Long> committed(String group) throws Exception {
        ListConsumerGroupOffsetsOptions stable = new ListConsumerGroupOffsetsOptions().requireStable(true);
        Map<Integer, Long> found = new TreeMap<>();
        wait(admin.listConsumerGroupOffsets(group, stable).partitionsToOffsetAndMetadata())
            .forEach((each, at) -> {
                if (at != null) { // as long as a transaction with an offset of this partition goes on
                    found.put(each.partition(), at.offset());
                }
            });
        return found;
    }

    // -- transactions

    void transactionSteps() {
        steps.put("transaction_commit", () -> {
            begun("c0", "c1").commitTransaction();
            return "committed";
        });
        steps.put("transaction_abort", () -> {
            begun("a0", "a1").abortTransaction();
            return "aborted";
        });
        steps.put("transaction_offsets", () -> {
            String readers = name("tx-readers");
            List<Long> seen = new ArrayList<>();
            try (KafkaConsumer<String, String> consumer = consumer(readers, Map.of())) {
                sendOffset(begun("o0"), 2, consumer).commitTransaction();
                seen.add(until(() -> committed(readers), stable -> stable.containsKey(0)).get(0));
                sendOffset(begun(), 3, consumer).abortTransaction();
                seen.add(until(() -> committed(readers), stable -> stable.containsKey(0)).get(0));
            }
            return seen;
        });
        steps.put("read_committed", () -> values("read_committed"));
        steps.put("read_uncommitted", () -> values("read_uncommitted"));
        steps.put("transaction_fenced", () -> {
            KafkaProducer<String, String> older = begun("f0");
            try (KafkaProducer<String, String> newer = transactionalProducer()) {
                newer.initTransactions();
                older.commitTransaction();
            }
            return "committed";
        });
    }

    KafkaProducer<String, String> transactionalProducer() {
        return new KafkaProducer<>(config(Map.of("transactional.id", name("tx"))), new StringSerializer(), new StringSerializer());
    }

    KafkaProducer<String, String> begun(String... values) throws Exception {
        if (transactional == null) {
            create(name("tx"), 1, 1, Map.of());
            transactional = transactionalProducer();
            transactional.initTransactions();
        }
        transactional.beginTransaction();
        for (String each : values) {
            transactional.send(new ProducerRecord<>(name("tx"), each));
        }
        transactional.flush();
        return transactional;
    }

    KafkaProducer<String, String> sendOffset(
            KafkaProducer<String, String> producer, long offset, KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> position = Map.of(new TopicPartition(main, 0), new OffsetAndMetadata(offset));
        producer.sendOffsetsToTransaction(position, consumer.groupMetadata());
        return producer;
    }

    Object values(String isolation) {
        try (KafkaConsumer<String, String> consumer = consumer(name("tx-values"), Map.of("isolation.level", isolation))) {
            consumer.assign(List.of(new TopicPartition(name("tx"), 0)));
            return read(consumer, all -> !all.isEmpty() && all.get(all.size() - 1).value().equals("o0")).stream()
                .map(each -> each.offset() + " " + each.value()).toList();
        }
    }

    // -- the consumer protocol

    void consumerProtocolSteps() {
        Map<String, String> protocol = Map.of("group.protocol", "consumer");
        steps.put("consumer_protocol", () -> {
            members = new ArrayList<>(List.of(joined(modern, protocol)));
            List<ConsumerRecord<String, String>> found = read(members.get(0), all -> all.size() == ALL_RECORDS);
            return byPartition(number -> found.stream().filter(each -> each.partition() == number).count());
        });
        steps.put("consumer_protocol_rebalance", () -> rebalance(joined(modern, protocol)));
        steps.put("consumer_protocol_group", () -> {
            Object found = described(modern);
            leave();
            return found;
        });
    }

    // -- security

    void securitySteps() {
        steps.put("scram_sha_256", () -> {
            try (Admin one = Admin.create(login("SCRAM-SHA-256", "alice-secret"))) {
                return wait(one.listTopics().names()).contains(main);
            }
        });
        steps.put("scram_sha_512", () -> {
            Map<String, Object> login = login("SCRAM-SHA-512", "alice-secret");
            create(name("secret"), 1, 1, Map.of());
            send(login, List.of(new ProducerRecord<>(name("secret"), "hush")));
            try (KafkaConsumer<String, String> consumer = consumer(name("secret-readers"), login)) {
                consumer.assign(List.of(new TopicPartition(name("secret"), 0)));
                ConsumerRecord<String, String> found = read(consumer, all -> !all.isEmpty()).get(0);
                return found.offset() + " " + found.value();
            }
        });
        steps.put("wrong_password", () -> refused(login("SCRAM-SHA-512", "guessed")));
        steps.put("mechanism_not_enabled", () -> refused(login("PLAIN", "alice-secret")));
    }

    Map<String, Object> login(String mechanism, String password) {
        String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
        return config(Map.of("bootstrap.servers", secure, "security.protocol", "SASL_SSL", "sasl.mechanism", mechanism,
            "ssl.truststore.type", "PEM", "ssl.truststore.location", ca, "sasl.jaas.config",
            "org.apache.kafka.common.security." + module + " required username=\"alice\" password=\"" + password + "\";"));
    }

    Object refused(Map<String, Object> login) throws Exception {
        try (Admin one = Admin.create(login)) {
            return wait(one.listTopics().names()).size();
        }
    }

    // -- deletion

    void deletionSteps() {
        steps.put("delete_records", () -> List.of(deleteRecords(3), offsets(OffsetSpec.earliest()).get(0)));
        steps.put("delete_records_beyond_end", () -> deleteRecords(1_000_000));
        steps.put("delete_group", () -> deleteGroup(group));
        steps.put("delete_unknown_group", () -> deleteGroup(group));
        steps.put("delete_topic", this::deleteTopic);
        steps.put("delete_unknown_topic", this::deleteTopic);
    }

    long deleteRecords(long offset) throws Exception {
        TopicPartition where = new TopicPartition(main, 0);
        return wait(admin.deleteRecords(Map.of(where, RecordsToDelete.beforeOffset(offset))).lowWatermarks().get(where)).lowWatermark();
    }

    Object deleteTopic() throws Exception {
        wait(admin.deleteTopics(List.of(main)).all());
        return until(this::topics, names -> !names.contains("main"));
    }

    // -- JSON

    static Map<String, Object> sorted(Map<String, Object> map) {
        return new TreeMap<>(map);
    }

    static String json(Object value) {
        if (value instanceof Map<?, ?> map) {
            StringJoiner inner = new StringJoiner(", ", "{", "}");
            map.forEach((key, each) -> inner.add(json(String.valueOf(key)) + ": " + json(each)));
            return inner.toString();
        }
        if (value instanceof Collection<?> all) {
            StringJoiner inner = new StringJoiner(", ", "[", "]");
            all.forEach(each -> inner.add(json(each)));
            return inner.toString();
        }
        if (value instanceof Number || value instanceof Boolean || value == null) {
            return String.valueOf(value);
        }
        String escaped = value.toString().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", "\\t");
        return '"' + escaped + '"';
    }
}
