package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"countersign/audit"
	"countersign/db"
)

const auditUsage = `usage: portal audit <command>

  key                                        print the keys that checkpoints of the log are signed with, the one in use first
  export [-from N] [-o FILE]                 write the whole log, so that anybody can check it; N is the first number, from 0
  verify [-key KEY] [-roots FILE] FILE...    check an export, offline; its parts in their order

Exit codes of verify: 0 the log holds, 1 it does not, 2 cannot tell, 4 could not read or wrong usage.
`

func auditCommand(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, auditUsage)
		return unreadable
	}
	switch command, rest := args[0], args[1:]; {
	case command == "key" && len(rest) == 0:
		return fail(printLogKeys(ctx))
	case command == "export":
		return exportLog(ctx, rest)
	case command == "verify":
		return verifyLog(rest)
	}
	fmt.Fprint(os.Stderr, auditUsage)
	return unreadable
}

// openAsIs opens the configured database without bringing it to this program's schema.
func openAsIs(ctx context.Context) (config, *db.DB, error) {
	c, err := readConfig(environment())
	if err != nil {
		return c, nil, fmt.Errorf("the configuration does not hold:\n%w", err)
	}
	store, err := db.Open(ctx, db.Config{URL: string(c.DatabaseURL), MaxConns: c.DatabaseConns, Log: slog.New(slog.DiscardHandler)})
	return c, store, err
}

// printLogKeys prints the key in use, then those that signed before.
func printLogKeys(ctx context.Context) error {
	c, store, err := openAsIs(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	signer, err := c.auditSigner()
	if err != nil {
		return err
	}
	keys, err := store.AuditTree().Keys(ctx)
	if err != nil {
		return err
	}
	fmt.Println(signer.Key())
	for _, k := range slices.DeleteFunc(keys, func(k string) bool { return k == signer.Key() }) {
		fmt.Println(k)
	}
	return nil
}

func exportLog(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("portal audit export", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	from := flags.Int64("from", 0, "")
	path := flags.String("o", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 0 || *from < 0 {
		fmt.Fprint(os.Stderr, auditUsage)
		return unreadable
	}
	return fail(export(ctx, *from, *path))
}

func export(ctx context.Context, from int64, path string) (err error) {
	_, store, err := openAsIs(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	out := os.Stdout
	if path != "" {
		// Never over another file: an export is evidence.
		if out, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	tree := &audit.Tree{Store: store.AuditTree()}
	return tree.Export(ctx, store.AuditTree(), out, from, nil)
}

func verifyLog(args []string) int {
	flags := flag.NewFlagSet("portal audit verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	key := flags.String("key", "", "")
	rootsFile := flags.String("roots", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		fmt.Fprint(os.Stderr, auditUsage)
		return unreadable
	}
	keys, err := readLogKeys(*key)
	var roots *x509.CertPool
	if err == nil {
		roots, err = readRoots(*rootsFile)
	}
	code := unreadable
	if err == nil {
		code, err = judgeExport(os.Stdout, flags.Args(), keys, roots)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal audit verify:", err)
		return unreadable
	}
	return code
}

func judgeExport(out io.Writer, paths, keys []string, roots *x509.CertPool) (int, error) {
	var parts []io.Reader
	for _, path := range paths {
		in, err := os.Open(path)
		if err != nil {
			return unreadable, err
		}
		defer in.Close()
		parts = append(parts, in)
	}
	x, err := audit.CheckExport(bufio.NewReader(io.MultiReader(parts...)), keys...)
	var j judgement
	switch {
	case errors.Is(err, audit.ErrProof):
		j.worse(broken, err.Error())
	case errors.Is(err, audit.ErrUnknownKey):
		j.worse(cannotTell, "none of the keys given has signed a checkpoint; keys that signed before are given in a file")
	case errors.Is(err, audit.ErrIncomplete):
		j.worse(cannotTell, err.Error())
	case err != nil:
		return unreadable, err
	default:
		j.export(x, roots)
	}
	return j.code, j.tellExport(out, x, roots != nil)
}

func (j *judgement) export(x audit.Exported, roots *x509.CertPool) {
	if !x.KeyGiven {
		j.worse(cannotTell, "no key of the log was given, so anybody may have written this export")
	}
	if x.Checkpoints == 0 {
		j.worse(cannotTell, "no checkpoint is signed")
	} else if x.Covered < x.Entries {
		j.worse(cannotTell, fmt.Sprintf("the last %d entries are under no checkpoint: the export was cut off", x.Entries-x.Covered))
	}
	for _, s := range x.Stamps {
		one := judgement{}
		one.stamp(s.Token, s.Checkpoint, roots)
		if one.code == broken || roots != nil && one.code != holds {
			j.worse(one.code, fmt.Sprintf("at %d entries: %s", s.Size, one.Reasons[0]))
		}
		j.Time = one.Time
	}
}

func (j *judgement) tellExport(out io.Writer, x audit.Exported, judged bool) error {
	text := map[int]string{
		holds:      fmt.Sprintf("The log %s holds: %d entries give every one of %d checkpoints.\n", x.Origin, x.Entries, x.Checkpoints),
		broken:     "This does not hold.\n",
		cannotTell: fmt.Sprintf("Cannot tell. %d entries were read, %d checkpoints fit.\n", x.Entries, x.Checkpoints),
	}[j.code]
	for _, reason := range j.Reasons {
		text += "  - " + reason + "\n"
	}
	if x.Forgotten > 0 {
		text += fmt.Sprintf("  - of %d entries only the hash is left: what they said was forgotten after its time\n", x.Forgotten)
	}
	switch {
	case len(x.Stamps) == 0:
		text += "  - no clock service has stamped a checkpoint\n"
	case !judged:
		text += fmt.Sprintf("  - %d timestamps are over their checkpoints; whether their clock service is trusted was not judged, for no roots were given\n", len(x.Stamps))
	case j.Time != nil:
		text += fmt.Sprintf("  - %d timestamps, the last of %s\n", len(x.Stamps), j.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	_, err := io.WriteString(out, text)
	return err
}
