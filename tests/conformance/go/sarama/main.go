// The steps with Sarama.
package main

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"caudal.test/conformance/script"
	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/xdg-go/scram"
)

const noConsumerProtocol = script.NotOffered("Sarama has no consumer protocol (KIP-848)")

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

type client struct {
	plan          script.Plan
	main, group   string
	admin         sarama.ClusterAdmin
	members       []*member
	owned         script.Owned
	transactional sarama.SyncProducer
}

func main() {
	sarama.Logger = log.New(io.Discard, "", 0)
	plan := script.ReadPlan()
	c := &client{plan: plan, main: plan.Name("main"), group: plan.Name("readers")}
	admin, err := sarama.NewClusterAdmin([]string{plan.Bootstrap}, c.config())
	if err != nil {
		panic(err)
	}
	c.admin = admin
	steps := script.Steps{}
	c.topicSteps(steps)
	c.produceSteps(steps)
	c.groupSteps(steps)
	c.transactionSteps(steps)
	for _, name := range []string{"consumer_protocol", "consumer_protocol_rebalance", "consumer_protocol_group"} {
		steps[name] = func() (any, error) { return nil, noConsumerProtocol }
	}
	c.securitySteps(steps)
	c.deletionSteps(steps)
	script.Take(plan, "Sarama "+version(), steps, errorName)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/IBM/sarama" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return ""
}

// errorName is Kafka's own name of the error's number; Sarama has only sentences for them.
func errorName(err error) string {
	if several, are := err.(sarama.ProducerErrors); are {
		err = several[0].Err
	}
	if errors.Is(err, sarama.ErrOutOfBrokers) { // with the reason as text only, where there is one
		if strings.Contains(err.Error(), "SASL Authentication failed") {
			return "SASL_AUTHENTICATION_FAILED"
		}
		return "OUT_OF_BROKERS"
	}
	var known sarama.KError
	if !errors.As(err, &known) {
		return ""
	}
	var named *kerr.Error
	if errors.As(kerr.ErrorForCode(int16(known)), &named) {
		return named.Message
	}
	return ""
}

func (c *client) config(more ...func(*sarama.Config)) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Metadata.Retry.Max = 2
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	config.Producer.Retry.Max = 20
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Producer.Return.Successes = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.MaxWaitTime = 50 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	for _, change := range more {
		change(config)
	}
	return config
}

// -- topics and configs

func (c *client) topicSteps(steps script.Steps) {
	steps["describe_cluster"] = func() (any, error) {
		brokers, controller, err := c.admin.DescribeCluster()
		nodes := []int32{}
		for _, each := range brokers {
			nodes = append(nodes, each.ID())
		}
		return map[string]any{"nodes": nodes, "controller": controller}, err
	}
	steps["create_topic"] = func() (any, error) {
		return "created", c.create(c.main, script.Partitions, 1, "retention.ms", "86400000")
	}
	steps["create_topic_again"] = func() (any, error) { return nil, c.create(c.main, script.Partitions, 1) }
	steps["create_topic_bad_name"] = func() (any, error) { return nil, c.create(c.main+" and more", 1, 1) }
	steps["create_topic_bad_config"] = func() (any, error) { return nil, c.create(c.plan.Name("bad"), 1, 1, "retention.ms", "soon") }
	steps["create_topic_too_many_replicas"] = func() (any, error) { return nil, c.create(c.plan.Name("bad"), 1, 3) }
	steps["describe_topic"] = func() (any, error) {
		found, err := c.describe(c.main)
		if err != nil {
			return nil, err
		}
		partitions := [][]any{}
		for _, each := range found.Partitions {
			partitions = append(partitions, []any{each.ID, each.Leader, each.Replicas, each.Isr})
		}
		slices.SortFunc(partitions, func(a, b []any) int { return int(a[0].(int32) - b[0].(int32)) })
		return map[string]any{"is_internal": found.IsInternal, "partitions": partitions}, nil
	}
	steps["describe_unknown_topic"] = func() (any, error) { return c.describe(c.plan.Name("unknown")) }
	steps["list_topics"] = func() (any, error) {
		return script.Until(c.topics, func(names []string) bool { return len(names) > 0 })
	}
	steps["alter_config"] = func() (any, error) { return "altered", c.alter("retention.ms", script.RetentionMs) }
	steps["describe_config"] = func() (any, error) {
		return script.Until(c.configs, func(found map[string]string) bool {
			return strings.HasPrefix(found["retention.ms"], script.RetentionMs)
		})
	}
	steps["alter_config_unknown_name"] = func() (any, error) { return nil, c.alter("nope", "1") }
	steps["alter_config_bad_value"] = func() (any, error) { return nil, c.alter("cleanup.policy", "tidy") }
	steps["create_partitions"] = func() (any, error) {
		if err := c.create(c.plan.Name("grown"), 1, 1); err != nil {
			return nil, err
		}
		return c.grow(3)
	}
	steps["create_partitions_fewer"] = func() (any, error) { return c.grow(2) }
}

func (c *client) create(topic string, partitions int32, replicas int16, configs ...string) error {
	given := map[string]*string{}
	for pair := range slices.Chunk(configs, 2) {
		given[pair[0]] = &pair[1]
	}
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicas, ConfigEntries: given}
	if err := c.admin.CreateTopic(topic, detail, false); err != nil {
		return err
	}
	_, err := script.Until(c.admin.ListTopics, func(found map[string]sarama.TopicDetail) bool { _, is := found[topic]; return is })
	return err
}

func (c *client) describe(topic string) (*sarama.TopicMetadata, error) {
	found, err := c.admin.DescribeTopics([]string{topic})
	if err == nil && found[0].Err != sarama.ErrNoError {
		err = found[0].Err
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (c *client) topics() ([]string, error) {
	found, err := c.admin.ListTopics()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return c.plan.Mine(names), err
}

func (c *client) alter(name, value string) error {
	change := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
	return c.admin.IncrementalAlterConfig(sarama.TopicResource, c.main, map[string]sarama.IncrementalAlterConfigsEntry{name: change}, false)
}

func (c *client) configs() (map[string]string, error) {
	found, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: c.main})
	shown := map[string]string{}
	for _, each := range found {
		shown[each.Name] = fmt.Sprintf("%s %s read-only:%t sensitive:%t", each.Value, sources[each.Source], each.ReadOnly, each.Sensitive)
	}
	return shown, err
}

var sources = map[sarama.ConfigSource]string{
	sarama.SourceTopic: "DYNAMIC_TOPIC_CONFIG", sarama.SourceDynamicDefaultBroker: "DYNAMIC_DEFAULT_BROKER_CONFIG",
	sarama.SourceStaticBroker: "STATIC_BROKER_CONFIG", sarama.SourceDefault: "DEFAULT_CONFIG",
}

func (c *client) grow(partitions int32) (any, error) {
	if err := c.admin.CreatePartitions(c.plan.Name("grown"), partitions, nil, false); err != nil {
		return nil, err
	}
	return script.Until(func() (int, error) {
		found, err := c.describe(c.plan.Name("grown"))
		if err != nil {
			return 0, err
		}
		return len(found.Partitions), nil
	}, func(count int) bool { return count == int(partitions) })
}

// -- produce

func (c *client) produceSteps(steps script.Steps) {
	for _, codec := range script.Codecs {
		steps["produce_"+codec] = func() (any, error) { return c.produce(codec) }
	}
	steps["produce_too_large"] = func() (any, error) {
		c.create(c.plan.Name("small"), 1, 1, "max.message.bytes", "1000")
		return c.send(c.config(), message(c.plan.Name("small"), strings.Repeat("x", 5000)))
	}
	steps["produce_to_unknown_topic"] = func() (any, error) {
		return c.send(c.config(), message(c.plan.Name("unknown"), "x"))
	}
	steps["produce_too_old"] = func() (any, error) {
		c.create(c.plan.Name("fresh"), 1, 1, "message.timestamp.before.max.ms", "3600000")
		old := message(c.plan.Name("fresh"), "x")
		old.Timestamp = time.UnixMilli(c.plan.Now - 7200000)
		return c.send(c.config(), old)
	}
	steps["produce_without_key_to_compacted"] = func() (any, error) {
		c.create(c.plan.Name("compacted"), 1, 1, "cleanup.policy", "compact")
		return c.send(c.config(), message(c.plan.Name("compacted"), "x"))
	}
	steps["list_offsets"] = func() (any, error) {
		first, err := c.offsets(sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		end, err := c.offsets(sarama.OffsetNewest)
		both := map[int32][]int64{}
		for number := range end {
			both[number] = []int64{first[number], end[number]}
		}
		return both, err
	}
	steps["offsets_for_times"] = func() (any, error) { return c.offsets(c.plan.Now + 30) }
}

func message(topic, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}
}

func (c *client) produce(codec string) (any, error) {
	messages := []*sarama.ProducerMessage{}
	for _, each := range c.plan.Records(codec) {
		headers := []sarama.RecordHeader{}
		for _, header := range each.Headers {
			headers = append(headers, sarama.RecordHeader{Key: []byte(header.Key), Value: header.Value})
		}
		messages = append(messages, &sarama.ProducerMessage{Topic: c.main, Key: sarama.ByteEncoder(each.Key),
			Value: sarama.ByteEncoder(each.Value), Headers: headers, Timestamp: each.Timestamp})
	}
	return c.send(c.config(func(config *sarama.Config) { config.Producer.Compression = codecs[codec] }), messages...)
}

func (c *client) send(config *sarama.Config, messages ...*sarama.ProducerMessage) (any, error) {
	bootstrap := c.plan.Bootstrap
	if config.Net.SASL.Enable {
		bootstrap = c.plan.Secure
	}
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	if err := producer.SendMessages(messages); err != nil {
		return nil, err
	}
	places := []string{}
	for _, each := range messages {
		places = append(places, fmt.Sprintf("%d:%d", each.Partition, each.Offset))
	}
	slices.Sort(places)
	return places, nil
}

func (c *client) offsets(at int64) (map[int32]int64, error) {
	asked := map[int32]int64{}
	for number := range int32(script.Partitions) {
		asked[number] = at
	}
	found, err := c.admin.ListOffsets(map[string]map[int32]int64{c.main: asked}, nil)
	offsets := map[int32]int64{}
	for number, each := range found[c.main] {
		offsets[number] = each.Offset
		if each.Err != sarama.ErrNoError {
			err = errors.Join(err, each.Err)
		}
	}
	return offsets, err
}

// -- transactions

func (c *client) transactionSteps(steps script.Steps) {
	steps["transaction_commit"] = func() (any, error) {
		if err := c.begin("c0", "c1"); err != nil {
			return nil, err
		}
		return "committed", c.transactional.CommitTxn()
	}
	steps["transaction_abort"] = func() (any, error) {
		if err := c.begin("a0", "a1"); err != nil {
			return nil, err
		}
		return "aborted", c.transactional.AbortTxn()
	}
	steps["transaction_offsets"] = func() (any, error) {
		if err := c.sendOffset(2, "o0"); err != nil {
			return nil, err
		}
		if err := c.transactional.CommitTxn(); err != nil {
			return nil, err
		}
		readers := c.plan.Name("tx-readers")
		first, err := script.Until(func() (map[int32]string, error) { return c.committed(readers) },
			func(found map[int32]string) bool { return !strings.HasPrefix(found[0], "-1") })
		if err != nil {
			return nil, err
		}
		if err := c.sendOffset(3); err != nil {
			return nil, err
		}
		if err := c.transactional.AbortTxn(); err != nil {
			return nil, err
		}
		second, err := c.committed(readers)
		return []string{first[0], second[0]}, err
	}
	steps["read_committed"] = func() (any, error) { return c.values(c.plan.Name("tx"), "o0", sarama.ReadCommitted) }
	steps["read_uncommitted"] = func() (any, error) { return c.values(c.plan.Name("tx"), "o0", sarama.ReadUncommitted) }
	steps["transaction_fenced"] = func() (any, error) {
		if err := c.begin("f0"); err != nil {
			return nil, err
		}
		newer, err := c.transactionalProducer()
		if err != nil {
			return nil, err
		}
		defer newer.Close()
		return "committed", c.transactional.CommitTxn()
	}
}

func (c *client) transactionalProducer() (sarama.SyncProducer, error) {
	return sarama.NewSyncProducer([]string{c.plan.Bootstrap}, c.config(func(config *sarama.Config) {
		config.Producer.Transaction.ID = c.plan.Name("tx")
		config.Producer.Transaction.Retry.Max = 3
	}))
}

func (c *client) begin(values ...string) error {
	if c.transactional == nil {
		if err := c.create(c.plan.Name("tx"), 1, 1); err != nil {
			return err
		}
		producer, err := c.transactionalProducer()
		if err != nil {
			return err
		}
		c.transactional = producer
	}
	if err := c.transactional.BeginTxn(); err != nil {
		return err
	}
	for _, value := range values {
		if _, _, err := c.transactional.SendMessage(message(c.plan.Name("tx"), value)); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) sendOffset(offset int64, values ...string) error {
	if err := c.begin(values...); err != nil {
		return err
	}
	nothing := ""
	position := &sarama.PartitionOffsetMetadata{Partition: 0, Offset: offset, LeaderEpoch: -1, Metadata: &nothing}
	return c.transactional.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{c.main: {position}}, c.plan.Name("tx-readers"))
}

// values reads the topic from its beginning until it has seen the last one.
func (c *client) values(topic, last string, isolation sarama.IsolationLevel, more ...func(*sarama.Config)) (any, error) {
	config := c.config(append(more, func(config *sarama.Config) { config.Consumer.IsolationLevel = isolation })...)
	bootstrap := c.plan.Bootstrap
	if config.Net.SASL.Enable {
		bootstrap = c.plan.Secure
	}
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	shown := []string{}
	for limit := time.After(script.Patience); ; {
		select {
		case each := <-partition.Messages():
			shown = append(shown, fmt.Sprintf("%d %s", each.Offset, each.Value))
			if string(each.Value) == last {
				return shown, nil
			}
		case <-limit:
			return nil, fmt.Errorf("read only %v", shown)
		}
	}
}

// -- security

func (c *client) securitySteps(steps script.Steps) {
	steps["scram_sha_256"] = func() (any, error) { return c.listed(c.login(sarama.SASLTypeSCRAMSHA256, script.Password)) }
	steps["scram_sha_512"] = func() (any, error) {
		topic, login := c.plan.Name("secret"), c.login(sarama.SASLTypeSCRAMSHA512, script.Password)
		if err := c.create(topic, 1, 1); err != nil {
			return nil, err
		}
		if _, err := c.send(c.config(login), message(topic, "hush")); err != nil {
			return nil, err
		}
		return c.values(topic, "hush", sarama.ReadUncommitted, login)
	}
	steps["wrong_password"] = func() (any, error) { return c.listed(c.login(sarama.SASLTypeSCRAMSHA512, "guessed")) }
	steps["mechanism_not_enabled"] = func() (any, error) { return c.listed(c.login(sarama.SASLTypePlaintext, script.Password)) }
}

func (c *client) login(mechanism sarama.SASLMechanism, password string) func(*sarama.Config) {
	pem, err := os.ReadFile(c.plan.CA)
	if err != nil {
		panic(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
	digest := scram.HashGeneratorFcn(sha512.New)
	if mechanism == sarama.SASLTypeSCRAMSHA256 {
		digest = sha256.New
	}
	return func(config *sarama.Config) {
		config.Net.TLS.Enable = true
		config.Net.TLS.Config = &tls.Config{RootCAs: authorities}
		config.Net.SASL.Enable = true
		config.Net.SASL.Mechanism = mechanism
		config.Net.SASL.User, config.Net.SASL.Password = script.User, password
		config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &conversation{digest: digest} }
	}
}

// conversation is how Sarama wants to be given SCRAM.
type conversation struct {
	*scram.ClientConversation
	digest scram.HashGeneratorFcn
}

func (s *conversation) Begin(user, password, authorization string) error {
	made, err := s.digest.NewClient(user, password, authorization)
	if err == nil {
		s.ClientConversation = made.NewConversation()
	}
	return err
}

func (c *client) listed(login func(*sarama.Config)) (any, error) {
	admin, err := sarama.NewClusterAdmin([]string{c.plan.Secure}, c.config(login))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	found, err := admin.ListTopics()
	_, is := found[c.main]
	return is, err
}

// -- deletion

func (c *client) deletionSteps(steps script.Steps) {
	steps["delete_records"] = func() (any, error) {
		if err := c.admin.DeleteRecords(c.main, map[int32]int64{0: 3}); err != nil {
			return nil, err
		}
		first, err := c.offsets(sarama.OffsetOldest)
		return first[0], err
	}
	steps["delete_records_beyond_end"] = func() (any, error) {
		return nil, c.admin.DeleteRecords(c.main, map[int32]int64{0: 1_000_000})
	}
	steps["delete_group"] = c.deleteGroup
	steps["delete_unknown_group"] = c.deleteGroup
	steps["delete_topic"] = c.deleteTopic
	steps["delete_unknown_topic"] = c.deleteTopic
}

func (c *client) deleteTopic() (any, error) {
	if err := c.admin.DeleteTopic(c.main); err != nil {
		return nil, err
	}
	return script.Until(c.topics, func(names []string) bool { return !slices.Contains(names, "main") })
}
