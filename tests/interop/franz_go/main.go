// A franz-go client for the interop tests: `produce TOPIC N PREFIX`, `consume TOPIC GROUP N`.
//
// produce prints one acknowledged value a line; consume reads N records in a group, commits, and prints them.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("usage: SEEDS produce TOPIC N PREFIX | SEEDS consume TOPIC GROUP N")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if args[1] == "produce" {
		return produce(ctx, args[0], args[2], args[3], args[4])
	}
	return consume(ctx, args[0], args[2], args[3], args[4])
}

func produce(ctx context.Context, seed, topic, count, prefix string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(seed), kgo.AllowAutoTopicCreation())
	if err != nil {
		return err
	}
	defer client.Close()
	for i := 0; i < n; i++ {
		value := fmt.Sprintf("%s-%d", prefix, i)
		client.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(value), Value: []byte(value)},
			func(record *kgo.Record, err error) {
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(string(record.Value))
			})
	}
	return client.Flush(ctx)
}

func consume(ctx context.Context, seed, topic, group, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(seed),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	for n > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, err := range fetches.Errors() {
			return err.Err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Printf("%d %d %s\n", record.Partition, record.Offset, record.Value)
			n--
		})
	}
	return client.CommitUncommittedOffsets(ctx)
}
