package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"caudal.test/conformance/script"
	"github.com/IBM/sarama"
)

// member is one of a group, as Sarama has it: told of each generation's session, and given its partitions in threads.
type member struct {
	group    sarama.ConsumerGroup
	stop     context.CancelFunc
	stopped  chan struct{}
	messages chan *sarama.ConsumerMessage
	sessions chan sarama.ConsumerGroupSession
	change   func(owned []int32)
	topic    string
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.change(session.Claims()[m.topic])
	select {
	case m.sessions <- session:
	default:
	}
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.change(nil)
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, more := <-claim.Messages():
			if !more {
				return nil
			}
			m.messages <- message
		case <-session.Context().Done():
			return nil
		}
	}
}

func (c *client) join() (*member, error) {
	number := len(c.members)
	group, err := sarama.NewConsumerGroup([]string{c.plan.Bootstrap}, c.group, c.config())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	joined := &member{
		group: group, stop: stop, stopped: make(chan struct{}), topic: c.main,
		messages: make(chan *sarama.ConsumerMessage, 1000), sessions: make(chan sarama.ConsumerGroupSession, 1),
		change: func(now []int32) {
			c.owned.Change(number, func(owned map[int32]bool) {
				clear(owned)
				for _, each := range now {
					owned[each] = true
				}
			})
		},
	}
	go func() {
		defer close(joined.stopped)
		for ctx.Err() == nil {
			if group.Consume(ctx, []string{c.main}, joined) != nil {
				return
			}
		}
	}()
	c.members = append(c.members, joined)
	return joined, nil
}

func (c *client) leave() {
	for _, each := range c.members {
		each.stop()
		<-each.stopped
		each.group.Close()
	}
	c.members, c.owned = nil, script.Owned{}
}

func (m *member) read(count int) ([]*sarama.ConsumerMessage, error) {
	found := []*sarama.ConsumerMessage{}
	for limit := time.After(script.Patience); len(found) < count; {
		select {
		case each := <-m.messages:
			found = append(found, each)
		case <-limit:
			return nil, fmt.Errorf("read %d records only", len(found))
		}
	}
	return found, nil
}

func (c *client) groupSteps(steps script.Steps) {
	steps["consume_all"] = func() (any, error) {
		joined, err := c.join()
		if err != nil {
			return nil, err
		}
		found, err := joined.read(script.AllRecords)
		lines := map[int32][]string{}
		for _, each := range found {
			record := script.Record{Key: each.Key, Value: each.Value, Timestamp: each.Timestamp}
			for _, header := range each.Headers {
				record.Headers = append(record.Headers, script.Header{Key: string(header.Key), Value: header.Value})
			}
			lines[each.Partition] = append(lines[each.Partition], c.plan.Shown(each.Offset, record))
		}
		return lines, err
	}
	steps["commit"] = func() (any, error) {
		ends, err := c.offsets(sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		session := <-c.members[0].sessions
		for number, end := range ends {
			session.MarkOffset(c.main, number, end/2, "half")
		}
		session.Commit()
		return c.committed(c.group)
	}
	steps["rebalance"] = func() (any, error) {
		if _, err := c.join(); err != nil {
			return nil, err
		}
		return c.owned.Balanced()
	}
	steps["describe_group"] = func() (any, error) {
		return script.Until(c.described, func(shown map[string]any) bool { return shown["state"] == "Stable" })
	}
	steps["delete_group_with_members"] = c.deleteGroup
	steps["resume"] = func() (any, error) {
		c.leave()
		ends, err := c.offsets(sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		left := 0
		for _, end := range ends {
			left += int(end - end/2)
		}
		joined, err := c.join()
		if err != nil {
			return nil, err
		}
		found, err := joined.read(left)
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
		ends, err := c.offsets(sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		found, err := c.admin.ListConsumerGroupOffsets(c.group, nil)
		if err != nil {
			return nil, err
		}
		lag := map[int32]int64{}
		for number, each := range found.Blocks[c.main] {
			lag[number] = ends[number] - each.Offset
		}
		return lag, nil
	}
	steps["seek_out_of_range"] = func() (any, error) {
		consumer, err := sarama.NewConsumer([]string{c.plan.Bootstrap}, c.config())
		if err != nil {
			return nil, err
		}
		defer consumer.Close()
		_, err = consumer.ConsumePartition(c.main, 0, 1_000_000)
		return nil, err
	}
}

// committed is the group's offsets in the main topic, with their metadata.
func (c *client) committed(group string) (map[int32]string, error) {
	asked := map[string][]int32{c.main: {0}}
	if group == c.group {
		asked = nil
	}
	found, err := c.admin.ListConsumerGroupOffsets(group, asked)
	if err != nil {
		return nil, err
	}
	shown := map[int32]string{}
	for number, each := range found.Blocks[c.main] {
		shown[number] = fmt.Sprintf("%d %s", each.Offset, each.Metadata)
	}
	return shown, nil
}

func (c *client) described() (map[string]any, error) {
	found, err := c.admin.DescribeConsumerGroups([]string{c.group})
	if err != nil {
		return nil, err
	}
	if found[0].Err != sarama.ErrNoError {
		return nil, found[0].Err
	}
	assigned, hosts := []int32{}, []string{}
	for _, each := range found[0].Members {
		hosts = append(hosts, each.ClientHost)
		assignment, err := each.GetMemberAssignment()
		if err != nil {
			return nil, err
		}
		assigned = append(assigned, assignment.Topics[c.main]...)
	}
	slices.Sort(assigned)
	return map[string]any{
		"state": found[0].State, "protocol": []string{found[0].ProtocolType, found[0].Protocol}, "hosts": slices.Compact(hosts),
		"members": len(found[0].Members), "assigned": assigned,
	}, nil
}

func (c *client) groups() (any, error) {
	found, err := c.admin.ListConsumerGroups()
	shown := []string{}
	for name, protocol := range found {
		for _, mine := range c.plan.Mine([]string{name}) {
			shown = append(shown, mine+" "+protocol)
		}
	}
	slices.Sort(shown)
	return shown, err
}

func (c *client) deleteGroup() (any, error) {
	if err := c.admin.DeleteConsumerGroup(c.group); err != nil {
		return nil, err
	}
	return c.groups()
}
