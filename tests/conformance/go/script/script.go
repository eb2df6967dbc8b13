// Package script has what the two Go clients' scripts share: the plan, the test records, how results are written.
package script

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	RecordsPerCodec = 12
	Partitions      = 3
	User            = "alice"
	Password        = "alice-secret"
	RetentionMs     = "7200000"
	Patience        = 40 * time.Second
)

var (
	Codecs     = []string{"none", "gzip", "snappy", "lz4", "zstd"}
	AllRecords = len(Codecs) * RecordsPerCodec
)

// NotOffered says that the client has no such function.
type NotOffered string

func (n NotOffered) Error() string { return string(n) }

// Steps are the functions by the steps' names.
type Steps map[string]func() (any, error)

// Plan is what the program is called with: BOOTSTRAP SECURE CA PREFIX NOW_MS STEP...
type Plan struct {
	Bootstrap, Secure, CA, Prefix string
	Now                           int64
	Steps                         []string
}

func ReadPlan() Plan {
	args := os.Args[1:]
	now, err := strconv.ParseInt(args[4], 10, 64)
	if err != nil {
		panic(err)
	}
	return Plan{args[0], args[1], args[2], args[3], now, args[5:]}
}

func (p Plan) Name(suffix string) string { return p.Prefix + "-" + suffix }

// Mine keeps the names of this run, without what they start with, sorted.
func (p Plan) Mine(names []string) []string {
	mine := []string{}
	for _, name := range names {
		if rest, found := strings.CutPrefix(name, p.Prefix+"-"); found {
			mine = append(mine, rest)
		}
	}
	slices.Sort(mine)
	return mine
}

type Header struct {
	Key   string
	Value []byte
}

type Record struct {
	Key, Value []byte
	Headers    []Header
	Timestamp  time.Time
}

func (p Plan) Records(codec string) []Record {
	first := p.Now + int64(slices.Index(Codecs, codec)*RecordsPerCodec)
	records := []Record{}
	for n := range RecordsPerCodec {
		headers := []Header{{"codec", []byte(codec)}, {"n", []byte(strconv.Itoa(n))}, {"empty", []byte{}}, {"nothing", nil}}
		value := fmt.Sprintf("%s-%d %s", codec, n, strings.Repeat("x", 60))
		records = append(records, Record{[]byte(fmt.Sprintf("k%d", n%6)), []byte(value), headers, time.UnixMilli(first + int64(n))})
	}
	return records
}

// Shown is a record as one line.
func (p Plan) Shown(offset int64, record Record) string {
	words := []string{}
	for _, header := range record.Headers {
		value := string(header.Value)
		if header.Value == nil {
			value = "<null>"
		}
		words = append(words, header.Key+":"+value)
	}
	first, _, _ := strings.Cut(string(record.Value), " ")
	return fmt.Sprintf("%d %s=%s/%d +%d %s", offset, record.Key, first, len(record.Value),
		record.Timestamp.UnixMilli()-p.Now, strings.Join(words, " "))
}

// Owned is what the members of a group own, by member; members change it from threads of their own.
type Owned struct {
	lock sync.Mutex
	of   map[int]map[int32]bool
}

func (o *Owned) Change(member int, change func(owned map[int32]bool)) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.of == nil {
		o.of = map[int]map[int32]bool{}
	}
	if o.of[member] == nil {
		o.of[member] = map[int32]bool{}
	}
	change(o.of[member])
}

// Balanced waits until two members own all partitions between them, and tells who owns how many.
func (o *Owned) Balanced() (any, error) {
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		o.lock.Lock()
		sizes, all, total := []int{}, []int32{}, 0
		for _, owned := range o.of {
			sizes = append(sizes, len(owned))
			total += len(owned)
			for number := range owned {
				all = append(all, number)
			}
		}
		o.lock.Unlock()
		slices.Sort(sizes)
		slices.Sort(all)
		all = slices.Compact(all)
		if len(sizes) == 2 && sizes[0] > 0 && total == Partitions && len(all) == Partitions {
			return map[string]any{"sizes": sizes, "are_disjoint": total == len(all), "owned": all}, nil
		}
	}
	return nil, fmt.Errorf("the members never owned all partitions")
}

// Until asks until the answer is settled: Kafka's broker learns of what its controller has done a little later.
func Until[T any](ask func() (T, error), isSettled func(T) bool) (T, error) {
	for deadline := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		answer, err := ask()
		if err != nil || isSettled(answer) || time.Now().After(deadline) {
			return answer, err
		}
	}
}

// Take takes the steps and prints the document. errorName is empty for an error that is neither the broker's nor the client's.
func Take(plan Plan, version string, steps Steps, errorName func(error) string) {
	document := []string{`"version": "` + version + `"`}
	for _, name := range plan.Steps {
		started := time.Now()
		result, err := steps[name]()
		fmt.Fprintln(os.Stderr, name, time.Since(started).Milliseconds(), "ms")
		if missing, is := err.(NotOffered); is {
			result = map[string]string{"not_offered": string(missing)}
		} else if err != nil && errorName(err) != "" {
			result = map[string]string{"error": errorName(err)}
		} else if err != nil {
			result = map[string]string{"failed": err.Error()}
		}
		text, err := json.Marshal(result)
		if err != nil {
			panic(err)
		}
		document = append(document, fmt.Sprintf("%q: %s", name, text))
	}
	fmt.Println("{" + strings.Join(document, ", ") + "}")
	os.Exit(0)
}
