package main

import (
	"errors"
	"fmt"

	"caudal.test/conformance/script"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type (
	kmsgRequest  = kmsg.OffsetCommitRequest
	kmsgResponse = kmsg.OffsetCommitResponse
)

func (c *client) transactionSteps(steps script.Steps) {
	steps["transaction_commit"] = func() (any, error) { return "committed", c.transact(kgo.TryCommit, "c0", "c1") }
	steps["transaction_abort"] = func() (any, error) { return "aborted", c.transact(kgo.TryAbort, "a0", "a1") }
	steps["transaction_offsets"] = c.sendOffsets
	steps["read_committed"] = func() (any, error) { return c.readTransactions(kgo.ReadCommitted()) }
	steps["read_uncommitted"] = func() (any, error) { return c.readTransactions(kgo.ReadUncommitted()) }
	steps["transaction_fenced"] = func() (any, error) {
		if err := c.begin("f0"); err != nil {
			return nil, err
		}
		newer := c.connected(kgo.TransactionalID(c.plan.Name("tx")))
		defer newer.Close()
		if err := newer.BeginTransaction(); err != nil {
			return nil, err
		}
		if err := newer.ProduceSync(patient(), &kgo.Record{Topic: c.plan.Name("tx"), Value: []byte("f1")}).FirstErr(); err != nil {
			return nil, err
		}
		return "committed", c.transactional.EndTransaction(patient(), kgo.TryCommit)
	}
}

func (c *client) begin(values ...string) error {
	if c.transactional == nil {
		c.create(c.plan.Name("tx"), 1, 1)
		c.transactional = c.connected(kgo.TransactionalID(c.plan.Name("tx")))
	}
	if err := c.transactional.BeginTransaction(); err != nil {
		return err
	}
	for _, value := range values {
		record := &kgo.Record{Topic: c.plan.Name("tx"), Value: []byte(value)}
		if err := c.transactional.ProduceSync(patient(), record).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) transact(end kgo.TransactionEndTry, values ...string) error {
	if err := c.begin(values...); err != nil {
		return err
	}
	return c.transactional.EndTransaction(patient(), end)
}

// sendOffsets reads two records and commits them in a transaction, then one more that it aborts: the client's own way.
func (c *client) sendOffsets() (any, error) {
	source, group := c.plan.Name("tx-source"), c.plan.Name("tx-readers")
	c.create(source, 1, 1)
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(c.plan.Bootstrap), kgo.TransactionalID(c.plan.Name("tx-session")),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(source), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RequireStableFetchOffsets())
	if err != nil {
		return nil, err
	}
	defer session.Close()
	seen := []int64{}
	for _, turn := range []struct {
		count int
		out   string
		end   kgo.TransactionEndTry
	}{{2, "o0", kgo.TryCommit}, {1, "", kgo.TryAbort}} {
		for n := range turn.count {
			if _, err := c.send(kgo.NoCompression(), &kgo.Record{Topic: source, Value: []byte(fmt.Sprint(n))}); err != nil {
				return nil, err
			}
		}
		if err := session.Begin(); err != nil {
			return nil, err
		}
		for ctx, read := patient(), 0; read < turn.count; {
			fetches := session.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return nil, err
			}
			read += fetches.NumRecords()
		}
		if turn.out != "" {
			session.ProduceSync(patient(), &kgo.Record{Topic: c.plan.Name("tx"), Value: []byte(turn.out)})
		}
		isCommitted, err := session.End(patient(), turn.end)
		if err != nil {
			return nil, err
		}
		if isCommitted != bool(turn.end) {
			return nil, errors.New("the group rebalanced, and the session gave its transaction up")
		}
		committed, err := script.Until(
			func() (kadm.OffsetResponses, error) {
				return c.admin.FetchOffsets(kadm.RequireStable(patient()), group)
			},
			func(found kadm.OffsetResponses) bool { // a group's first commit is not in the list while it is pending
				_, isListed := found.Lookup(source, 0)
				return isListed && found.Ok()
			})
		if err != nil {
			return nil, err
		}
		seen = append(seen, committed[source][0].At)
	}
	return seen, nil
}

func (c *client) readTransactions(isolation kgo.IsolationLevel) (any, error) {
	where := map[string]map[int32]kgo.Offset{c.plan.Name("tx"): {0: kgo.NewOffset().AtStart()}}
	consumer := c.connected(kgo.ConsumePartitions(where), kgo.FetchIsolationLevel(isolation))
	defer consumer.Close()
	return values(consumer, func(all []*kgo.Record) bool { return len(all) > 0 && string(all[len(all)-1].Value) == "o0" })
}

func values(consumer *kgo.Client, isEnough func([]*kgo.Record) bool) (any, error) {
	found, err := read(consumer, isEnough)
	shown := []string{}
	for _, each := range found {
		shown = append(shown, fmt.Sprintf("%d %s", each.Offset, each.Value))
	}
	return shown, err
}
