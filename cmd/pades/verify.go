package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"countersign/pades"
	"countersign/pades/pdf"
)

const verifyHelp = `Nothing is fetched: a file is judged by what it carries. Without -roots no signature
can be valid. With -json there is one object for each file, in their order.

Exit codes: 0 all are valid, 1 one is not, 2 that cannot be told, 3 no signature,
4 could not read or wrong usage.`

const inspectHelp = `Nothing is verified: this tells what files say of themselves. With -json there is one
object for each file, in their order.

Exit codes: 0 they can be signed, 3 one cannot, 4 could not read or wrong usage.`

// many is a command that looks at each of several files.
type many struct {
	asJSON, quiet       bool
	roots, passwordFile string
	// look gives what is printed, as JSON and as text, and the file's code.
	look func(ctx context.Context, r io.ReaderAt, size int64) (v any, text func(io.Writer) error, code int, err error)
	rank []int // codes, worst first
}

func (m *many) register(fs *flag.FlagSet) {
	fs.BoolVar(&m.asJSON, "json", false, "print JSON")
	fs.BoolVar(&m.quiet, "quiet", false, "no progress on the terminal")
	fs.StringVar(&m.passwordFile, "password-file", "", "`file` with the password of encrypted files")
}

func verifyFlags(fs *flag.FlagSet) action {
	m := &many{rank: []int{trouble, 1, 2, 3, 0}}
	m.register(fs)
	fs.StringVar(&m.roots, "roots", "", "PEM `file` of trusted issuers")
	return func(ctx context.Context, c *call) (int, error) {
		roots, err := readRoots(m.roots)
		if err != nil {
			return 0, err
		}
		word, err := password(m.passwordFile)
		if err != nil {
			return 0, err
		}
		m.look = func(ctx context.Context, r io.ReaderAt, size int64) (any, func(io.Writer) error, int, error) {
			res, err := pades.Verify(ctx, r, size, pades.VerifyOptions{Roots: roots, Password: word})
			return res, func(w io.Writer) error { return pades.WriteText(w, res) }, res.ExitCode(), err
		}
		return m.run(ctx, c)
	}
}

func inspectFlags(fs *flag.FlagSet) action {
	m := &many{rank: []int{trouble, 3, 0}}
	m.register(fs)
	return func(ctx context.Context, c *call) (int, error) {
		word, err := password(m.passwordFile)
		if err != nil {
			return 0, err
		}
		m.look = func(_ context.Context, r io.ReaderAt, size int64) (any, func(io.Writer) error, int, error) {
			rep, err := pades.InspectWith(r, size, pdf.Options{Password: word})
			code := 0
			var refused *pades.Refusal
			if errors.As(err, &refused) {
				code, err = 3, nil
			}
			return rep, func(w io.Writer) error { return pades.WriteReport(w, rep) }, code, err
		}
		return m.run(ctx, c)
	}
}

func (m *many) run(ctx context.Context, c *call) (int, error) {
	if len(c.args) == 0 {
		return 0, usagef("there has to be a file")
	}
	had := map[int]bool{}
	for i, name := range c.args {
		if !m.asJSON && len(c.args) > 1 {
			fmt.Fprintf(c.out, "%s%s\n", map[bool]string{true: "\n"}[i > 0], name)
		}
		code, err := m.one(ctx, c, name)
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if errors.Is(err, errUsage) {
			return 0, err
		}
		if err != nil {
			code = trouble
			fmt.Fprintf(c.errs, "pades: %s: %v\n", name, err)
			if m.asJSON {
				err = writeJSON(c.out, map[string]string{"file": name, "error": err.Error()})
				if err != nil {
					return 0, err
				}
			}
		}
		had[code] = true
	}
	for _, code := range m.rank {
		if had[code] {
			return code, nil
		}
	}
	return trouble, nil
}

func (m *many) one(ctx context.Context, c *call, name string) (int, error) {
	f, st, err := openInput(name, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	bar := startProgress(c, m.quiet, st.Size())
	v, text, code, err := m.look(ctx, watched{ctx, f, bar}, st.Size())
	bar.end()
	if err != nil {
		return 0, err
	}
	if !m.asJSON {
		return code, text(c.out)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	file, err := json.Marshal(name)
	if err != nil {
		return 0, err
	}
	return code, writeJSON(c.out, json.RawMessage(`{"file":`+string(file)+`,`+string(b[1:])))
}
