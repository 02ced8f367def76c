package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"countersign/audit"
	"countersign/blob"
	"countersign/db"
	"countersign/grants"
	"countersign/signing"
)

const fsckUsage = `usage: portal fsck [-quick] [-json] [-wait 3s] [-ledger FILE|URL]

Holds what is stored against what must always be true of it, and writes nothing.
Exit 0: all holds. 1: something does not. 2: it could not look.
`

// fsck is the command.
func fsck(ctx context.Context, args []string, out io.Writer) int {
	flags := flag.NewFlagSet("portal fsck", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, fsckUsage) }
	quick := flags.Bool("quick", false, "")
	asJSON := flags.Bool("json", false, "")
	wait := flags.Duration("wait", 3*time.Second, "")
	ledger := flags.String("ledger", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 0 {
		if err == nil {
			flags.Usage()
		}
		return 2
	}
	e, err := openExamination(ctx, *ledger)
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal fsck:", err)
		return 2
	}
	defer e.close()
	e.quick = *quick
	found := e.look(ctx)
	// What moved while it was looked at is well the second time. Bytes are no rows, and no
	// transaction holds them still.
	if anyFlaw(found) && *wait > 0 {
		select {
		case <-time.After(*wait):
		case <-ctx.Done():
		}
		found = both(found, e.look(ctx))
	}
	if *asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(found)
	} else {
		err = writeFindings(out, found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal fsck:", err)
		return 2
	}
	return exitOf(found)
}

// invariant is one thing that must always hold.
type invariant struct {
	id, holds string
	look      func(e *examination, ctx context.Context, tell func(signing.Flaw)) (string, error)
}

var invariants = []invariant{
	{"I1", "what was answered for is kept", notChecked("only those who were answered know; the crash tests compare it")},
	{"I2", "stored bytes are those of their rows", (*examination).bytes},
	{"I3", "stored bytes have a row", (*examination).files},
	{"I4", "a signature is given out once", rows((db.Fsck).Once, "signatures")},
	{"I5", "the service signed what rows announced, once", (*examination).ledgerRows},
	{"I6", "identity check, credential, second factor and intent came before each signature", rows((db.Fsck).Way, "signatures")},
	{"I7", "signatures verify over the stored bytes", (*examination).signatures},
	{"I8", "everything is in a state of its table and came there along its edges", rows((db.Fsck).Moves, "rows")},
	{"I9", "the audit log is whole, and tells of every move", (*examination).log},
	{"I10", "no key, secret or token is kept in clear, and sealed ones open for whom they are", (*examination).secrets},
	{"I11", "nothing waits past its time", rows((db.Fsck).Stuck, "rows")},
	{"I12", "what counts against people's room is what they keep", rows((db.Fsck).Sums, "documents")},
	{"I13", "activation data was used once, in time, for its own hashes", (*examination).ledgerUse},
	{"I14", "both databases come to the same end", notChecked("there is one here; the crash tests compare two")},
}

// unchecked says why a check was left out.
type unchecked string

func (u unchecked) Error() string { return string(u) }

func notChecked(why string) func(*examination, context.Context, func(signing.Flaw)) (string, error) {
	return func(*examination, context.Context, func(signing.Flaw)) (string, error) { return "", unchecked(why) }
}

func rows(look func(db.Fsck, context.Context, func(signing.Flaw)) (int, error), noun string) func(*examination, context.Context, func(signing.Flaw)) (string, error) {
	return func(e *examination, ctx context.Context, tell func(signing.Flaw)) (string, error) {
		n, err := look(e.rows(), ctx, tell)
		return fmt.Sprintf("%d %s", n, noun), err
	}
}

// examination is one run of fsck.
type examination struct {
	c        config
	store    *db.DB
	folder   *blob.FolderBucket
	master   *blob.Master
	examiner signing.Examiner
	ledger   []signing.LedgerEntry
	noBook   bool // no ledger was given
	quick    bool

	// Both halves of one walk over all documents.
	walked *walk
	booked *walk
}

type walk struct {
	looked signing.Looked
	flaws  []signing.Flaw
	err    error
}

func (w *walk) tell(f signing.Flaw) { w.flaws = append(w.flaws, f) }

func (w *walk) of(id string, tell func(signing.Flaw)) error {
	for _, f := range w.flaws {
		if f.Invariant == id {
			tell(f)
		}
	}
	return w.err
}

func (e *examination) rows() db.Fsck { return e.store.Fsck(time.Now()) }

func (e *examination) documents(ctx context.Context) *walk {
	if e.walked == nil {
		e.walked = &walk{}
		e.walked.looked, e.walked.err = e.examiner.Documents(ctx, e.walked.tell)
	}
	return e.walked
}

func (e *examination) bytes(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	w := e.documents(ctx)
	verb := "read"
	if e.quick {
		verb = "measured, none read"
	}
	return fmt.Sprintf("%d documents, %d MB %s", w.looked.Things, w.looked.Bytes/1_000_000, verb), w.of("I2", tell)
}

func (e *examination) signatures(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	if e.quick {
		return "", unchecked("with -quick nothing is read")
	}
	w := e.documents(ctx)
	return fmt.Sprintf("%d documents", w.looked.Things), w.of("I7", tell)
}

func (e *examination) files(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	all, stray, err := e.examiner.Files(ctx, tell)
	text := fmt.Sprintf("%d files", all.Things)
	if stray > 0 {
		text += fmt.Sprintf("; %d of something that broke off are cleared away when they are a day old", stray)
	}
	return text, err
}

func (e *examination) books(ctx context.Context) *walk {
	if e.booked == nil {
		e.booked = &walk{}
		e.booked.looked, e.booked.err = signing.Ledger(ctx, e.rows(), e.ledger, e.booked.tell)
	}
	return e.booked
}

func (e *examination) ledgerRows(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	return e.book(ctx, "I5", tell)
}

func (e *examination) ledgerUse(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	return e.book(ctx, "I13", tell)
}

func (e *examination) book(ctx context.Context, id string, tell func(signing.Flaw)) (string, error) {
	if e.noBook {
		return "", unchecked("no -ledger of the signing service was given")
	}
	w := e.books(ctx)
	return fmt.Sprintf("%d entries of the service", w.looked.Things), w.of(id, tell)
}

func (e *examination) log(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	tree := e.store.AuditTree()
	n, err := (&audit.Tree{Store: tree, CheckStamp: checkStamp}).Check(ctx, tree)
	if errors.Is(err, audit.ErrProof) {
		tell(signing.Flaw{Invariant: "I9", Object: "log", Subject: "audit", What: err.Error(),
			Do: "Somebody changed the log past the program. Keep a copy of the database and compare it with a backup."})
		err = nil
	}
	if err != nil {
		return "", err
	}
	missing, err := tree.Guards(ctx)
	if err != nil {
		return "", err
	}
	for _, name := range missing {
		tell(signing.Flaw{Invariant: "I9", Object: "trigger", Subject: name, What: "the database does not refuse any more what would change the log",
			Do: "Somebody took the trigger away, who could then change the log. Compare with a backup, and put it back from the migrations."})
	}
	return fmt.Sprintf("%d entries", n), e.rows().Told(ctx, tell)
}

func (e *examination) secrets(ctx context.Context, tell func(signing.Flaw)) (string, error) {
	n, err := e.rows().Secrets(ctx, e.c.hidden(), tell)
	if err != nil {
		return "", err
	}
	kept, err := e.rows().Grants(ctx, func(g grants.Grant) error { return grants.Check(e.master, g) }, tell)
	return fmt.Sprintf("%d columns, %d refresh tokens", n, kept), err
}

// openExamination opens what is there. It makes and changes nothing.
func openExamination(ctx context.Context, ledger string) (*examination, error) {
	c, err := readConfig(environment())
	var wrong problems
	_ = errors.As(err, &wrong) // readConfig answers nothing else
	for _, p := range wrong {
		for _, name := range []string{"DATABASE_URL", "BLOB_DIR", "MASTER_KEY", "TRUST_ROOTS"} {
			if p.variable == name || p.variable == name+"_FILE" {
				return nil, errors.New(p.variable + ": " + p.sentence)
			}
		}
	}
	e := &examination{c: c, noBook: ledger == ""}
	if ledger != "" {
		if e.ledger, err = readLedger(ctx, ledger); err != nil {
			return nil, fmt.Errorf("the ledger cannot be read: %w", err)
		}
	}
	places := []string{c.BlobDir}
	if path, isFile := strings.CutPrefix(string(c.DatabaseURL), "sqlite:"); isFile {
		places = append(places, path)
	}
	for _, place := range places {
		if _, err := os.Stat(place); err != nil {
			return nil, fmt.Errorf("%s is not there: is it run as the site is, with its configuration? %w", place, err)
		}
	}
	if e.store, err = db.Open(ctx, db.Config{URL: string(c.DatabaseURL), MaxConns: 4}); err != nil {
		return nil, err
	}
	if err := e.openBytes(ctx); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *examination) openBytes(ctx context.Context) error {
	pending, err := e.store.Pending(ctx)
	if err != nil {
		return err
	}
	if pending {
		return errors.New("the database is not at this program's schema: use the program of the site, or run portal migrate first")
	}
	roots, err := readRoots(e.c.Roots)
	if err != nil {
		return err
	}
	if e.master, err = e.c.master(); err != nil {
		return err
	}
	if e.folder, err = blob.Folder(e.c.BlobDir); err != nil {
		return err
	}
	e.examiner = signing.Examiner{Store: e.rows(), Blobs: blobs{blob.NewStore(e.folder, e.master)}, Walk: e.folder.Walk, Roots: roots, Now: time.Now}
	return nil
}

func (e *examination) close() {
	if e.folder != nil {
		e.folder.Close()
	}
	e.store.Close()
}

func readLedger(ctx context.Context, from string) (all []signing.LedgerEntry, err error) {
	var r io.ReadCloser
	if strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://") {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil) //nolint:gosec // the operator names it
		if err != nil {
			return nil, err
		}
		answer, err := http.DefaultClient.Do(request) //nolint:gosec // as above
		if err != nil {
			return nil, err
		}
		if r = answer.Body; answer.StatusCode != http.StatusOK {
			answer.Body.Close()
			return nil, errors.New("it answers " + answer.Status)
		}
	} else if r, err = os.Open(from); err != nil {
		return nil, err
	}
	defer r.Close()
	return all, json.NewDecoder(io.LimitReader(r, 1<<30)).Decode(&all)
}
