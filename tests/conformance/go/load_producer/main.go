// An idempotent franz-go producer under load, for tests/faults: BOOTSTRAP TOPIC PARTITIONS NAME RATE.
//
// It sends the values "NAME:0", "NAME:1", ... round the partitions, about RATE a second, until a line comes on stdin,
// and prints what is acknowledged ("SEQUENCE PARTITION OFFSET"), what fails ("failed TEXT") and at last "sent COUNT".
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const pause = 10 * time.Millisecond

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	bootstrap, topic, name := args[0], args[1], args[3]
	partitions, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	rate, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.AlwaysRetryEOF(), // a broker killed before its first answer is no sign of TLS
	)
	if err != nil {
		return err
	}
	defer client.Close()

	stopped := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		close(stopped)
	}()
	out, printing := bufio.NewWriter(os.Stdout), sync.Mutex{}
	ctx := context.Background()
	sent := 0
	for ticks := time.NewTicker(pause); ; <-ticks.C {
		for range max(1, rate*int(pause)/int(time.Second)) {
			sequence := sent
			sent++
			record := &kgo.Record{
				Topic: topic, Partition: int32(sequence % partitions), Value: fmt.Appendf(nil, "%s:%d", name, sequence),
			}
			client.Produce(ctx, record, func(record *kgo.Record, err error) {
				printing.Lock()
				defer printing.Unlock()
				if err != nil {
					fmt.Fprintln(out, "failed", err)
					return
				}
				fmt.Fprintln(out, sequence, record.Partition, record.Offset)
			})
		}
		select {
		case <-stopped:
			if err := client.Flush(ctx); err != nil {
				return err
			}
			printing.Lock()
			defer printing.Unlock()
			fmt.Fprintln(out, "sent", sent)
			return out.Flush()
		default:
		}
	}
}
