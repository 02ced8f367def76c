package main

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"countersign/audit"
	"countersign/pades/trust"
	"countersign/pades/tsp"
)

const receiptUsage = `usage: portal receipt verify [-key KEY] [-roots FILE] [-file PDF] [-json] FILE

  -key KEY     key of the log, as "portal audit key" prints it, or a file of keys, one in a line
  -roots FILE  PEM file of the roots that the clock service may lead to
  -file PDF    the signed file that the receipt should be about

Exit codes: 0 the log held the entries, 1 the receipt does not hold, 2 cannot tell,
4 could not read or wrong usage.
`

// Outcomes of what is proved offline; the exit codes.
const (
	holds      = 0
	broken     = 1
	cannotTell = 2
	unreadable = 4
)

// judgement is what came of a receipt, for -json.
type judgement struct {
	Result  string        `json:"result"` // "holds", "broken" or "cannot tell"
	Reasons []string      `json:"reasons,omitempty"`
	Log     string        `json:"log,omitempty"`
	Size    int64         `json:"size,omitempty"`
	Time    *time.Time    `json:"time,omitempty"` // of the timestamp
	Trusted bool          `json:"trusted"`        // the timestamp, by the roots given
	Entries []judgedEntry `json:"entries,omitempty"`
	code    int
}

type judgedEntry struct {
	Number int64           `json:"number"`
	Leaf   json.RawMessage `json:"leaf"`
}

func receipt(args []string) int {
	if len(args) == 0 || args[0] != "verify" {
		fmt.Fprint(os.Stderr, receiptUsage)
		return unreadable
	}
	flags := flag.NewFlagSet("portal receipt verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	key := flags.String("key", "", "")
	roots := flags.String("roots", "", "")
	file := flags.String("file", "", "")
	asJSON := flags.Bool("json", false, "")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 1 {
		fmt.Fprint(os.Stderr, receiptUsage)
		return unreadable
	}
	j, err := judgeReceipt(flags.Arg(0), *key, *roots, *file)
	if err == nil {
		err = j.tell(os.Stdout, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal receipt verify:", err)
		return unreadable
	}
	return j.code
}

func judgeReceipt(path, key, rootsFile, file string) (judgement, error) {
	var j judgement
	keys, err := readLogKeys(key)
	if err != nil {
		return j, err
	}
	roots, err := readRoots(rootsFile)
	if err != nil {
		return j, err
	}
	in, err := os.Open(path)
	if err != nil {
		return j, err
	}
	defer in.Close()
	r, err := audit.ReadReceipt(in)
	if err != nil {
		return j, err
	}
	var sum string
	if file != "" {
		if sum, err = sha256Of(file); err != nil {
			return j, err
		}
	}
	j.judge(r, keys, roots, sum)
	return j, nil
}

func (j *judgement) judge(r audit.Receipt, keys []string, roots *x509.CertPool, sum string) {
	held, err := audit.CheckReceipt(r, keys...)
	switch {
	case errors.Is(err, audit.ErrUnknownKey):
		j.worse(cannotTell, "none of the keys given has signed the checkpoint")
		return
	case err != nil:
		j.worse(broken, err.Error())
		return
	}
	j.Log, j.Size = held.Origin, held.Size
	for i, e := range held.Entries {
		j.Entries = append(j.Entries, judgedEntry{e.Number, json.RawMessage(r.Entries[i].Leaf)})
	}
	if !held.KeyGiven {
		j.worse(cannotTell, "no key of the log was given, so anybody may have written this receipt")
	}
	if sum != "" && !aboutFile(held.Entries, sum) {
		j.worse(broken, "no entry tells of a signed file with the SHA-256 "+sum)
	}
	if r.Timestamp == nil {
		j.worse(cannotTell, "no clock service has stamped the checkpoint, so only the log's own word says when; a receipt fetched later has a stamp")
		return
	}
	j.stamp(r.Timestamp.Token, r.Checkpoint, roots)
}

// stamp judges the timestamp over a signed checkpoint.
func (j *judgement) stamp(der []byte, signed string, roots *x509.CertPool) {
	token, err := tsp.ParseToken(der)
	if err != nil {
		j.worse(broken, "the timestamp cannot be read: "+err.Error())
		return
	}
	digest := sha256.Sum256([]byte(signed))
	if err := token.Check(digest[:], nil); err != nil || token.Hash != crypto.SHA256 {
		j.worse(broken, fmt.Sprintf("the timestamp is not one over this checkpoint: %v", err))
		return
	}
	j.Time = &token.Time
	judged := trust.Validate(token.Certificate, trust.Options{Intermediates: token.Certificates, Roots: roots, At: time.Now(), Usage: trust.TimeStamp})
	switch {
	case roots == nil:
		j.worse(cannotTell, "no roots were given, so nobody is trusted for the time")
	case judged.SubIndication != "":
		j.worse(cannotTell, "the clock service is not trusted: "+judged.Text)
	default:
		j.Trusted = true
	}
}

func (j *judgement) worse(code int, reason string) {
	j.Reasons = append(j.Reasons, reason)
	if code == broken || j.code == holds {
		j.code = code
	}
}

func aboutFile(entries []audit.Entry, sum string) bool {
	for _, e := range entries {
		if e.Action == "signature.release" && e.Outcome == audit.Done && e.Facts["sha256"] == sum {
			return true
		}
	}
	return false
}

func (j *judgement) tell(out io.Writer, asJSON bool) error {
	j.Result = map[int]string{holds: "holds", broken: "broken", cannotTell: "cannot tell"}[j.code]
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(j)
	}
	var b bytes.Buffer
	when := ""
	if j.Time != nil {
		when = j.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	switch j.code {
	case holds:
		fmt.Fprintf(&b, "The log %s held these entries not later than %s, as the clock service says.\n", j.Log, when)
	case broken:
		b.WriteString("This does not hold.\n")
	default:
		b.WriteString("Cannot tell.\n")
		if j.Log != "" {
			fmt.Fprintf(&b, "The entries fit the checkpoint of %d entries of %s.\n", j.Size, j.Log)
		}
		if when != "" && !j.Trusted {
			fmt.Fprintf(&b, "A clock service states %s.\n", when)
		}
	}
	for _, reason := range j.Reasons {
		fmt.Fprintf(&b, "  - %s\n", reason)
	}
	for _, e := range j.Entries {
		fmt.Fprintf(&b, "%d\t%s\n", e.Number, e.Leaf)
	}
	_, err := out.Write(b.Bytes())
	return err
}

// readLogKeys reads a key of the log, or a file with one in each line.
func readLogKeys(text string) ([]string, error) {
	if text == "" || strings.Count(text, "+") >= 2 && !strings.ContainsAny(text, "\n ") {
		return strings.Fields(text), nil
	}
	in, err := os.Open(text)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var keys []string
	lines := bufio.NewScanner(io.LimitReader(in, 1<<20))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New(text + " holds no key")
	}
	return keys, lines.Err()
}

func sha256Of(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
