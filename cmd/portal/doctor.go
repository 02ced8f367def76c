package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"countersign/dtmclient"
	"countersign/grants"
)

// doctorWait bounds each check.
const doctorWait = 10 * time.Second

// level of a finding.
type level int

const (
	ok level = iota
	warn
	bad
	untried
)

func (l level) String() string { return [...]string{"ok", "warn", "fail", "not tried"}[l] }

// MarshalText writes it for machines.
func (l level) MarshalText() ([]byte, error) {
	return []byte(strings.ReplaceAll(l.String(), " ", "_")), nil
}

// sentence is one thing that a check has to say. Line names the part of our reading of DTM
// that an answer differs from.
type sentence struct {
	Level level  `json:"level"`
	Text  string `json:"text"`
	Line  string `json:"assumed,omitempty"`
}

// finding is what one check has to say: its worst level and its sentences.
type finding struct {
	Name      string     `json:"name"`
	Level     level      `json:"level"`
	Sentences []sentence `json:"says"`
	Took      int64      `json:"took_ms"`
}

func (f *finding) say(l level, format string, args ...any) {
	f.Level = max(f.Level, l)
	f.Sentences = append(f.Sentences, sentence{Level: l, Text: fmt.Sprintf(format, args...)})
}

// differs says that an answer is not what we take a call for.
func (f *finding) differs(from dtmclient.Assumption, format string, args ...any) {
	f.say(warn, format, args...)
	if from.Line != "" {
		f.Sentences[len(f.Sentences)-1].Line = fmt.Sprintf("%s = %q in dtmclient/assumed.go (%s)", from.Line, from.Path, from.Mark)
	}
}

// check is one part that the site stands on, the variables without which there is nothing
// to look at, and the checks that must not have failed before.
type check struct {
	name  string
	needs []string
	after []string
	look  func(d *doctor, ctx context.Context, f *finding)
}

var (
	dtmPlace = []string{"DTM_URL", "DTM_REGION", "DTM_TLS_ROOTS", "DTM_CLIENT_CERT", "DTM_MTLS_URL", "DTM_API_AUTH", "DTM_CSC_AUTH"}
	cscWay   = append(dtmPlace[:len(dtmPlace):len(dtmPlace)], "DTM_CLIENT_ID", "DTM_CLIENT_SECRET", "DTM_TOKEN_URL", "DTM_REFRESH_TOKEN", "DTM_LOGIN_USER", "DTM_LOGIN_PASSWORD")
)

// checks are in the order in which they are told.
var checks = []check{
	{"go", nil, nil, (*doctor).toolchain},
	{"address", []string{"BASE_URL"}, nil, (*doctor).address},
	{"database", []string{"DATABASE_URL"}, nil, (*doctor).database},
	{"documents", []string{"BLOB_DIR", "MASTER_KEY"}, nil, (*doctor).documents},
	{"trust roots", []string{"TRUST_ROOTS"}, nil, (*doctor).roots},
	{"mail network", []string{"SMTP_URL", "MAILBOX_URL"}, nil, (*doctor).mailNetwork},
	{"mail", []string{"SMTP_URL", "MAILBOX_URL", "MAIL_FROM"}, []string{"mail network"}, (*doctor).mail},
	{"sign-in network", []string{"OIDC_ISSUER"}, nil, (*doctor).providerNetwork},
	{"sign-in", []string{"OIDC_ISSUER", "OIDC_SCOPES"}, []string{"sign-in network"}, (*doctor).provider},
	{"dtm network", dtmPlace, nil, (*doctor).dtmNetwork},
	{"dtm api", append(dtmPlace[:len(dtmPlace):len(dtmPlace)], "DTM_API_KEY"), []string{"dtm network"}, (*doctor).api},
	{"dtm listings", dtmPlace, []string{"dtm api"}, (*doctor).listings},
	{"csc network", dtmPlace, nil, (*doctor).cscNetwork},
	{"csc info", dtmPlace, []string{"csc network"}, (*doctor).info},
	{"csc tokens", cscWay, []string{"csc info"}, (*doctor).tokens},
	{"csc access", cscWay, []string{"csc info", "csc tokens"}, (*doctor).access},
	{"csc credential", cscWay, []string{"csc access"}, (*doctor).credential},
	{"csc timestamp", cscWay, []string{"csc access"}, (*doctor).timestamp},
	{"clock", []string{"OIDC_ISSUER"}, []string{"sign-in network"}, (*doctor).clock},
}

// doctor tries out what the configuration says. It leaves nothing behind.
type doctor struct {
	c    config
	now  func() time.Time
	http *http.Client
	told struct { // what an earlier check has learned for a later one
		info        dtmclient.Info
		credentials []string
	}

	credentialName, user string
	noTimestamp          bool

	once     sync.Once
	remote   *dtmclient.Client
	failed   error
	unkept   error // why a refresh token that is changed could not be kept
	closings []func()
}

// dtm is the client that all checks share, and with it one token.
func (d *doctor) dtm(ctx context.Context, f *finding) *dtmclient.Client {
	d.once.Do(func() {
		var kept *grants.Service
		if d.c.uses(wayRefresh) {
			var done func()
			if kept, done, d.unkept = keptGrants(context.WithoutCancel(ctx), d.c); d.unkept == nil {
				d.closings = append(d.closings, done)
			}
		}
		d.remote, d.failed = remoteClient(d.c, kept, nil)
	})
	if d.failed != nil {
		f.say(bad, "%s.", cause(d.failed))
	}
	return d.remote
}

const doctorUsage = `portal doctor [flags]

Tries out everything the site stands on and says what works, what differs from how DTM is read here, and which
setting to change. It asks for no code, no approval and no signature, sends no mail, and leaves nothing behind.
Exit 0: nothing failed, 1: something failed, 2: it could not look.

`

// examine is the command.
func examine(ctx context.Context, args []string, out io.Writer) int {
	d := &doctor{now: time.Now, http: &http.Client{
		Timeout:       doctorWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, doctorUsage); flags.PrintDefaults() }
	asJSON := flags.Bool("json", false, "tell it for machines")
	flags.StringVar(&d.credentialName, "credential", "", "credential to look at, by its `name` at DTM; else the first that is listed")
	flags.StringVar(&d.user, "user", "", "`id` of the DTM user whose credentials are listed, where the way in is nobody's own")
	flags.BoolVar(&d.noTimestamp, "no-timestamp", false, "take no timestamp, which may count against a quota")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(out, "portal doctor: %q is not understood. See: portal doctor -h\n", flags.Arg(0))
		return 2
	}
	environ := environment()
	c, err := readConfig(environ)
	var wrong problems
	_ = errors.As(err, &wrong) // readConfig answers nothing else
	d.c = c
	defer func() {
		for _, done := range d.closings {
			done()
		}
	}()
	found := append([]finding{d.configuration(environ, wrong)}, d.lookAll(ctx, wrong)...)
	for i := range found {
		for j, s := range found[i].Sentences {
			found[i].Sentences[j].Text = d.scrub(s.Text)
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(out, "portal doctor: stopped before it had looked at everything.")
		return 2
	}
	if err := tellFindings(out, found, *asJSON); err != nil {
		return 2
	}
	for _, f := range found {
		if f.Level == bad {
			return 1
		}
	}
	return 0
}

func (d *doctor) configuration(environ map[string]string, wrong problems) finding {
	f := finding{Name: "configuration"}
	for _, p := range wrong {
		f.say(bad, "%s: %s", p.variable, p.sentence)
	}
	for _, name := range unknown(environ) {
		f.say(warn, "%s is set, but there is no such variable. Correct its name, or take it away.", name)
	}
	if len(f.Sentences) == 0 {
		f.say(ok, "all variables hold. See them with: portal config")
	}
	return f
}

// lookAll runs the checks together, each after those it stands on; the findings are in their order.
func (d *doctor) lookAll(ctx context.Context, wrong problems) []finding {
	found := make([]finding, len(checks))
	done := map[string]chan struct{}{}
	place := map[string]int{}
	for i, c := range checks {
		done[c.name], place[c.name] = make(chan struct{}), i
	}
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			defer close(done[c.name])
			for _, name := range c.needs {
				if wrong.has(name, name+"_FILE") {
					found[i] = finding{Name: c.name}
					found[i].say(untried, "not tried, since %s does not hold.", name)
					return
				}
			}
			for _, name := range c.after {
				<-done[name]
				if l := found[place[name]].Level; l >= bad {
					found[i] = finding{Name: c.name}
					found[i].say(untried, "not tried, since %s %s.", name, map[level]string{bad: "failed", untried: "was not tried"}[l])
					return
				}
			}
			found[i] = d.look(ctx, c)
		})
	}
	all.Wait()
	return found
}

// look runs one check, and leaves it alone when it does not end.
func (d *doctor) look(ctx context.Context, c check) finding {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	done := make(chan finding, 1)
	go func() {
		f := finding{Name: c.name}
		c.look(d, ctx, &f)
		f.Took = time.Since(begin).Milliseconds()
		done <- f
	}()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
		select {
		case f := <-done: // it may end with its context
			return f
		case <-time.After(time.Second):
			f := finding{Name: c.name, Took: time.Since(begin).Milliseconds()}
			f.say(bad, "no answer within %s.", doctorWait)
			return f
		}
	}
}

// scrub keeps a sentence on its line, and is the last hand that a secret would have to pass.
func (d *doctor) scrub(text string) string {
	for _, word := range d.c.hidden() {
		if word = strings.TrimSpace(word); len(word) > 3 {
			text = strings.ReplaceAll(text, word, redacted)
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// cause is an error as part of a sentence, without a full stop of its own.
func cause(err error) string {
	const most = 300
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		text = "no answer in time"
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.TrimRight(cmp.Or(text, "unknown"), ". \n")
}
