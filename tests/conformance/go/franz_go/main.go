// The steps with franz-go.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"caudal.test/conformance/script"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

type client struct {
	plan                script.Plan
	main, group, modern string
	admin               *kadm.Client
	members             []*kgo.Client
	owned               script.Owned
	transactional       *kgo.Client
}

func main() {
	plan := script.ReadPlan()
	c := &client{plan: plan, main: plan.Name("main"), group: plan.Name("readers"), modern: plan.Name("modern")}
	c.admin = kadm.NewClient(c.connected())
	steps := script.Steps{}
	c.topicSteps(steps)
	c.produceSteps(steps)
	c.groupSteps(steps)
	c.transactionSteps(steps)
	c.consumerProtocolSteps(steps)
	c.securitySteps(steps)
	c.deletionSteps(steps)
	script.Take(plan, "franz-go "+version(), steps, errorName)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return ""
}

func errorName(err error) string {
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return ""
}

func patient() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), script.Patience)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func (c *client) connected(more ...kgo.Opt) *kgo.Client {
	// What it knows of topics it keeps for 5 s, unless told otherwise, and tells that to who asks for them.
	options := []kgo.Opt{
		kgo.SeedBrokers(c.plan.Bootstrap), kgo.FetchMaxWait(50 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond),
	}
	made, err := kgo.NewClient(append(options, more...)...)
	if err != nil {
		panic(err)
	}
	return made
}

// -- topics and configs

func (c *client) topicSteps(steps script.Steps) {
	steps["describe_cluster"] = func() (any, error) {
		found, err := c.admin.BrokerMetadata(patient())
		return map[string]any{"nodes": found.Brokers.NodeIDs(), "controller": found.Controller, "has_cluster_id": found.Cluster != ""}, err
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
		partitions := [][]any{}
		for _, each := range found.Partitions.Sorted() {
			partitions = append(partitions, []any{each.Partition, each.Leader, each.Replicas, each.ISR})
		}
		return map[string]any{"is_internal": found.IsInternal, "partitions": partitions}, err
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
	if _, err := c.admin.CreateTopic(patient(), partitions, replicas, given, topic); err != nil {
		return err
	}
	_, err := script.Until(func() (kadm.TopicDetails, error) { return c.admin.ListTopics(patient()) },
		func(found kadm.TopicDetails) bool { return found.Has(topic) && found[topic].Err == nil })
	return err
}

func (c *client) describe(topic string) (kadm.TopicDetail, error) {
	found, err := c.admin.ListTopics(patient(), topic)
	if err != nil {
		return kadm.TopicDetail{}, err
	}
	return found[topic], found[topic].Err
}

func (c *client) topics() ([]string, error) {
	found, err := c.admin.ListTopics(patient())
	names := []string{}
	for name, each := range found {
		if each.Err == nil { // its cache also knows topics that were asked for in vain
			names = append(names, name)
		}
	}
	return c.plan.Mine(names), err
}

func (c *client) alter(name, value string) error {
	found, err := c.admin.AlterTopicConfigs(patient(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, c.main)
	if err != nil {
		return err
	}
	return found[0].Err
}

func (c *client) configs() (map[string]string, error) {
	found, err := c.admin.DescribeTopicConfigs(patient(), c.main)
	if err != nil {
		return nil, err
	}
	shown := map[string]string{}
	for _, each := range found[0].Configs {
		shown[each.Key] = fmt.Sprintf("%s %s", each.MaybeValue(), each.Source)
	}
	return shown, found[0].Err
}

func (c *client) grow(partitions int) (any, error) {
	found, err := c.admin.UpdatePartitions(patient(), partitions, c.plan.Name("grown"))
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return nil, err
	}
	return script.Until(func() (int, error) {
		found, err := c.describe(c.plan.Name("grown"))
		return len(found.Partitions), err
	}, func(count int) bool { return count == partitions })
}

// -- produce

func (c *client) produceSteps(steps script.Steps) {
	for _, codec := range script.Codecs {
		steps["produce_"+codec] = func() (any, error) { return c.produce(codec) }
	}
	steps["produce_too_large"] = func() (any, error) {
		c.create(c.plan.Name("small"), 1, 1, "max.message.bytes", "1000")
		return c.send(kgo.NoCompression(), &kgo.Record{Topic: c.plan.Name("small"), Value: []byte(strings.Repeat("x", 5000))})
	}
	steps["produce_to_unknown_topic"] = func() (any, error) {
		return c.send(kgo.NoCompression(), &kgo.Record{Topic: c.plan.Name("unknown"), Value: []byte("x")})
	}
	steps["produce_too_old"] = func() (any, error) {
		c.create(c.plan.Name("fresh"), 1, 1, "message.timestamp.before.max.ms", "3600000")
		old := time.UnixMilli(c.plan.Now - 7200000)
		return c.send(kgo.NoCompression(), &kgo.Record{Topic: c.plan.Name("fresh"), Value: []byte("x"), Timestamp: old})
	}
	steps["produce_without_key_to_compacted"] = func() (any, error) {
		c.create(c.plan.Name("compacted"), 1, 1, "cleanup.policy", "compact")
		return c.send(kgo.NoCompression(), &kgo.Record{Topic: c.plan.Name("compacted"), Value: []byte("x")})
	}
	steps["list_offsets"] = func() (any, error) {
		first, err := c.admin.ListStartOffsets(patient(), c.main)
		if err != nil {
			return nil, err
		}
		end, err := c.ends()
		both := map[int32][]int64{}
		for number := range end {
			both[number] = []int64{first[c.main][number].Offset, end[number]}
		}
		return both, err
	}
	steps["offsets_for_times"] = func() (any, error) {
		found, err := c.admin.ListOffsetsAfterMilli(patient(), c.plan.Now+30, c.main)
		at := map[int32][]int64{}
		for number, each := range found[c.main] {
			at[number] = []int64{each.Offset, each.Timestamp - c.plan.Now}
		}
		return at, err
	}
}

func (c *client) produce(codec string) (any, error) {
	records := []*kgo.Record{}
	for _, each := range c.plan.Records(codec) {
		headers := []kgo.RecordHeader{}
		for _, header := range each.Headers {
			headers = append(headers, kgo.RecordHeader{Key: header.Key, Value: header.Value})
		}
		records = append(records, &kgo.Record{Topic: c.main, Key: each.Key, Value: each.Value, Headers: headers, Timestamp: each.Timestamp})
	}
	return c.send(codecs[codec], records...)
}

func (c *client) send(codec kgo.CompressionCodec, records ...*kgo.Record) (any, error) {
	return send(c.connected(kgo.ProducerBatchCompression(codec), kgo.UnknownTopicRetries(15), kgo.RetryBackoffFn(briefly)), records...)
}

func briefly(int) time.Duration { return 100 * time.Millisecond }

func send(producer *kgo.Client, records ...*kgo.Record) (any, error) {
	defer producer.Close()
	places := []string{}
	for _, each := range producer.ProduceSync(patient(), records...) {
		if each.Err != nil {
			return nil, each.Err
		}
		places = append(places, fmt.Sprintf("%d:%d", each.Record.Partition, each.Record.Offset))
	}
	slices.Sort(places)
	return places, nil
}

func (c *client) ends() (map[int32]int64, error) {
	found, err := c.admin.ListEndOffsets(patient(), c.main)
	ends := map[int32]int64{}
	for number, each := range found[c.main] {
		ends[number] = each.Offset
	}
	return ends, err
}

// -- consumer groups

func (c *client) groupSteps(steps script.Steps) {
	steps["consume_all"] = func() (any, error) {
		found, err := read(c.join(c.group, c.main), func(all []*kgo.Record) bool { return len(all) == script.AllRecords })
		lines := map[int32][]string{}
		for _, each := range found {
			record := script.Record{Key: each.Key, Value: each.Value, Timestamp: each.Timestamp}
			for _, header := range each.Headers {
				record.Headers = append(record.Headers, script.Header{Key: header.Key, Value: header.Value})
			}
			lines[each.Partition] = append(lines[each.Partition], c.plan.Shown(each.Offset, record))
		}
		return lines, err
	}
	steps["commit"] = c.commit
	steps["rebalance"] = func() (any, error) {
		c.join(c.group, c.main)
		return c.owned.Balanced()
	}
	steps["describe_group"] = func() (any, error) {
		return script.Until(c.described, func(shown map[string]any) bool { return shown["state"] == "Stable" })
	}
	steps["delete_group_with_members"] = func() (any, error) { return c.deleteGroup(c.group) }
	steps["resume"] = func() (any, error) {
		c.leave()
		ends, err := c.ends()
		if err != nil {
			return nil, err
		}
		left := int64(0)
		for _, end := range ends {
			left += end - end/2
		}
		found, err := read(c.join(c.group, c.main), func(all []*kgo.Record) bool { return int64(len(all)) == left })
		c.leave()
		offsets := map[int32][]int64{}
		for _, each := range found {
			offsets[each.Partition] = append(offsets[each.Partition], each.Offset)
		}
		return offsets, err
	}
	steps["describe_empty_group"] = func() (any, error) { return c.described() }
	steps["list_groups"] = c.groups
	steps["lag"] = func() (any, error) {
		ends, err := c.ends()
		if err != nil {
			return nil, err
		}
		committed, err := c.admin.FetchOffsets(patient(), c.group)
		lag := map[int32]int64{}
		for number, each := range committed[c.main] {
			lag[number] = ends[number] - each.At
		}
		return lag, err
	}
	steps["seek_out_of_range"] = func() (any, error) {
		where := map[string]map[int32]kgo.Offset{c.main: {0: kgo.NewOffset().At(1_000_000)}}
		consumer := c.connected(kgo.ConsumePartitions(where), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
		defer consumer.Close()
		return read(consumer, func(all []*kgo.Record) bool { return len(all) > 0 })
	}
}

// join adds a member whose partitions show in c.owned.
func (c *client) join(group, topic string, more ...kgo.Opt) *kgo.Client {
	number := len(c.members)
	take := func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
		c.owned.Change(number, func(owned map[int32]bool) {
			for _, each := range given[topic] {
				owned[each] = true
			}
		})
	}
	give := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
		c.owned.Change(number, func(owned map[int32]bool) {
			for _, each := range gone[topic] {
				delete(owned, each)
			}
		})
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.OnPartitionsAssigned(take), kgo.OnPartitionsRevoked(give),
		kgo.OnPartitionsLost(give),
	}
	member := c.connected(append(options, more...)...)
	c.members = append(c.members, member)
	return member
}

func (c *client) leave() {
	for _, each := range c.members {
		each.Close()
	}
	c.members, c.owned = nil, script.Owned{}
}

func read(consumer *kgo.Client, isEnough func([]*kgo.Record) bool) ([]*kgo.Record, error) {
	found := []*kgo.Record{}
	for ctx := patient(); !isEnough(found); {
		fetches := consumer.PollFetches(ctx)
		for _, each := range fetches.Errors() {
			return found, each.Err
		}
		found = append(found, fetches.Records()...)
	}
	return found, nil
}

func (c *client) commit() (any, error) {
	ends, err := c.ends()
	if err != nil {
		return nil, err
	}
	half := map[int32]kgo.EpochOffset{}
	for number, end := range ends {
		half[number] = kgo.EpochOffset{Epoch: -1, Offset: end / 2}
	}
	var refused error
	c.members[0].CommitOffsetsSync(patient(), map[string]map[int32]kgo.EpochOffset{c.main: half},
		func(_ *kgo.Client, _ *kmsgRequest, answer *kmsgResponse, err error) {
			refused = err
			for _, topic := range answer.Topics {
				for _, partition := range topic.Partitions {
					refused = errors.Join(refused, kerr.ErrorForCode(partition.ErrorCode))
				}
			}
		})
	if refused != nil {
		return nil, refused
	}
	committed, err := c.admin.FetchOffsets(patient(), c.group)
	shown := map[int32]int64{}
	for number, each := range committed[c.main] {
		shown[number] = each.At
	}
	return shown, err
}

func (c *client) described() (map[string]any, error) {
	found, err := c.admin.DescribeGroups(patient(), c.group)
	if err != nil {
		return nil, err
	}
	described, hosts := found[c.group], []string{}
	for _, each := range described.Members {
		hosts = append(hosts, each.ClientHost)
	}
	assigned := described.AssignedPartitions()
	return map[string]any{
		"state": described.State, "protocol": []string{described.ProtocolType, described.Protocol},
		"coordinator": described.Coordinator.NodeID, "members": len(described.Members), "hosts": slices.Compact(hosts),
		"assigned": assigned[c.main],
	}, described.Err
}

func (c *client) groups() (any, error) {
	found, err := c.admin.ListGroups(patient())
	shown := []string{}
	for _, each := range found.Sorted() {
		for _, name := range c.plan.Mine([]string{each.Group}) {
			shown = append(shown, fmt.Sprintf("%s %s %s", name, each.ProtocolType, each.State))
		}
	}
	return shown, err
}

func (c *client) deleteGroup(group string) (any, error) {
	if _, err := c.admin.DeleteGroup(patient(), group); err != nil {
		return nil, err
	}
	return c.groups()
}

// -- the consumer protocol

func (c *client) consumerProtocolSteps(steps script.Steps) {
	steps["consumer_protocol"] = func() (any, error) {
		found, err := read(c.join(c.modern, c.main, kgo.ServerSideBalancer()), func(all []*kgo.Record) bool { return len(all) == script.AllRecords })
		counts := map[int32]int{}
		for _, each := range found {
			counts[each.Partition]++
		}
		return counts, err
	}
	steps["consumer_protocol_rebalance"] = func() (any, error) {
		c.join(c.modern, c.main, kgo.ServerSideBalancer())
		return c.owned.Balanced()
	}
	steps["consumer_protocol_group"] = func() (any, error) {
		defer c.leave()
		return script.Until(c.describedModern, func(shown map[string]any) bool { return shown["state"] == "Stable" })
	}
}

func (c *client) describedModern() (map[string]any, error) {
	found, err := c.admin.DescribeConsumerGroups(patient(), c.modern)
	if err != nil {
		return nil, err
	}
	described := found[c.modern]
	assigned := described.AssignedPartitions()
	return map[string]any{
		"state": described.State, "assignor": described.AssignorName, "members": len(described.Members), "assigned": assigned[c.main],
		"epochs_agree": described.Epoch == described.AssignmentEpoch,
	}, described.Err
}

// -- security

func (c *client) securitySteps(steps script.Steps) {
	right, wrong := scram.Auth{User: script.User, Pass: script.Password}, scram.Auth{User: script.User, Pass: "guessed"}
	steps["scram_sha_256"] = func() (any, error) { return c.listed(right.AsSha256Mechanism()) }
	steps["scram_sha_512"] = func() (any, error) {
		topic, login := c.plan.Name("secret"), c.login(right.AsSha512Mechanism())
		c.create(topic, 1, 1)
		if _, err := send(c.connected(login...), &kgo.Record{Topic: topic, Value: []byte("hush")}); err != nil {
			return nil, err
		}
		where := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
		consumer := c.connected(append(login, kgo.ConsumePartitions(where))...)
		defer consumer.Close()
		return values(consumer, func(all []*kgo.Record) bool { return len(all) > 0 })
	}
	steps["wrong_password"] = func() (any, error) { return c.listed(wrong.AsSha512Mechanism()) }
	steps["mechanism_not_enabled"] = func() (any, error) {
		return c.listed(plain.Auth{User: script.User, Pass: script.Password}.AsMechanism())
	}
}

func (c *client) login(mechanism sasl.Mechanism) []kgo.Opt {
	pem, err := os.ReadFile(c.plan.CA)
	if err != nil {
		panic(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
	return []kgo.Opt{kgo.SeedBrokers(c.plan.Secure), kgo.DialTLSConfig(&tls.Config{RootCAs: authorities}), kgo.SASL(mechanism)}
}

func (c *client) listed(mechanism sasl.Mechanism) (any, error) {
	admin := kadm.NewClient(c.connected(c.login(mechanism)...))
	defer admin.Close()
	found, err := admin.ListTopics(patient())
	return found.Has(c.main), err
}

// -- deletion

func (c *client) deletionSteps(steps script.Steps) {
	steps["delete_records"] = func() (any, error) {
		low, err := c.deleteRecords(3)
		if err != nil {
			return nil, err
		}
		first, err := c.admin.ListStartOffsets(patient(), c.main)
		return []int64{low, first[c.main][0].Offset}, err
	}
	steps["delete_records_beyond_end"] = func() (any, error) { return c.deleteRecords(1_000_000) }
	steps["delete_group"] = func() (any, error) { return c.deleteGroup(c.group) }
	steps["delete_unknown_group"] = func() (any, error) { return c.deleteGroup(c.group) }
	steps["delete_topic"] = c.deleteTopic
	steps["delete_unknown_topic"] = c.deleteTopic
}

func (c *client) deleteRecords(offset int64) (int64, error) {
	wanted := kadm.Offsets{}
	wanted.AddOffset(c.main, 0, offset, -1)
	found, err := c.admin.DeleteRecords(patient(), wanted)
	if err != nil {
		return 0, err
	}
	return found[c.main][0].LowWatermark, found[c.main][0].Err
}

func (c *client) deleteTopic() (any, error) {
	if _, err := c.admin.DeleteTopic(patient(), c.main); err != nil {
		return nil, err
	}
	return script.Until(c.topics, func(names []string) bool { return !slices.Contains(names, "main") })
}
