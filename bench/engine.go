package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
	"countersign/pades/tsp"
)

// engineFile is one file to sign. The goals are for those whose work is not the start of a
// process.
type engineFile struct {
	name  string
	make  func(path string) error
	goals bool
	peers int // times they try
}

// measureEngine: the engine by itself, as a program and as a library, against the least
// that signing needs and against what others have.
func measureEngine(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "engine")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	program := filepath.Join(dir, "pades")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/pades")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build pades: %w\n%s", err, out)
	}
	if out, err := exec.CommandContext(ctx, "npm", "ci", "--prefix", "bench/peers", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		return fmt.Errorf("install the peers: %w\n%s", err, out)
	}
	key, err := newBenchKey(dir)
	if err != nil {
		return err
	}
	e := &engine{b: b, dir: dir, program: program, key: key}
	for _, f := range []engineFile{
		{"1 MB", func(p string) error { return images(p, 1_000_000) }, false, 5},
		{"20 MB", func(p string) error { return images(p, b.size(20_000_000, 2_000_000)) }, false, 5},
		{"200 MB", func(p string) error { return images(p, b.size(200_000_000, 3_000_000)) }, true, 5},
		{"1 GB", func(p string) error { return images(p, b.size(1_000_000_000, 4_000_000)) }, true, 1},
		{"400,000 small objects, table", func(p string) error { return smallObjects(p, b.size(400_000, 4000), false) }, false, 1},
		{"400,000 small objects, object streams", func(p string) error { return smallObjects(p, b.size(400_000, 4000), true) }, false, 1},
	} {
		if err := e.file(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

type engine struct {
	b            *bench
	dir, program string
	key          benchKey
}

func (e *engine) file(ctx context.Context, f engineFile) error {
	path := filepath.Join(e.dir, "in.pdf")
	defer os.Remove(path)
	if err := f.make(path); err != nil {
		return err
	}
	if err := warm(path); err != nil {
		return err
	}
	if err := e.commandLine(ctx, f, path); err != nil {
		return err
	}
	if err := e.library(ctx, f, path); err != nil {
		return err
	}
	if err := e.archive(ctx, f, path); err != nil {
		return err
	}
	return e.peers(ctx, f, path)
}

// commandLine holds the program against two that do only what it cannot do without.
func (e *engine) commandLine(ctx context.Context, f engineFile, path string) error {
	out := filepath.Join(e.dir, "out.pdf")
	defer os.Remove(out)
	var floor, took, memory, verified sample
	for range 5 {
		hashed, err := e.child(ctx, "openssl", "dgst", "-sha256", path)
		if err != nil {
			return err
		}
		copied, err := e.child(ctx, "cp", path, out)
		if err != nil {
			return err
		}
		_ = os.Remove(out)
		signed, err := e.child(ctx, e.program, "sign", "-cert", e.key.cert, "-key", e.key.key, path, out)
		if err != nil {
			return err
		}
		checked, err := e.child(ctx, e.program, "verify", "-roots", e.key.cert, out)
		if err != nil {
			return err
		}
		_ = os.Remove(out)
		floor, took = append(floor, hashed.seconds+copied.seconds), append(took, signed.seconds)
		memory = append(memory, signed.peak)
		verified = append(verified, checked.peak)
	}
	r := &e.b.report
	r.tell("engine: SHA-256 and a copy, two programs, "+f.name, "s", floor)
	r.tell("engine: signed on the command line, "+f.name, "s", took)
	if f.goals {
		r.atMost("engine: command line against SHA-256 and a copy, "+f.name, "×", 1.1, ratios(took, floor))
	}
	r.atMost("engine: peak memory of signing, "+f.name, "MB", 16, memory)
	r.atMost("engine: peak memory of verifying, "+f.name, "MB", 16, verified)
	return nil
}

// library measures in this process, where nothing has to start.
func (e *engine) library(ctx context.Context, f engineFile, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	size, o := st.Size(), pades.Options{Chain: e.key.chain, Time: time.Now()}
	var hashes, signs, states, verifies, twice sample
	for range 5 {
		hashed, err := timed(func() error { return hashOf(file, size) })
		if err != nil {
			return err
		}
		var p *pades.Prepared
		var delta []byte
		signed, err := timed(func() (err error) { p, delta, err = e.sign(ctx, file, size, o, nil); return err })
		if err != nil {
			return err
		}
		stored := o
		stored.State = p.BaseState
		quick, err := timed(func() error { _, _, err := e.sign(ctx, file, size, stored, nil); return err })
		if err != nil {
			return err
		}
		one, length := appended(file, size, delta)
		checked, err := timed(func() error { return e.verify(ctx, one, length) })
		if err != nil {
			return err
		}
		stored.State, _, err = p.StateAfter(delta)
		if err != nil {
			return err
		}
		_, second, err := e.sign(ctx, one, length, stored, nil)
		if err != nil {
			return err
		}
		two, length := appended(file, size, append(bytes.Clone(delta), second...))
		both, err := timed(func() error { return e.verify(ctx, two, length) })
		if err != nil {
			return err
		}
		hashes, signs, states = append(hashes, hashed), append(signs, signed), append(states, 1000*quick)
		verifies, twice = append(verifies, checked), append(twice, both)
	}
	r := &e.b.report
	r.tell("engine: SHA-256 in Go, "+f.name, "s", hashes)
	r.tell("engine: signed by the library, "+f.name, "s", signs)
	r.atMost("engine: library with a stored state of the hash, "+f.name, "ms", 30, states)
	r.tell("engine: verified by the library, "+f.name, "s", verifies)
	if f.goals {
		r.atMost("engine: library against SHA-256, "+f.name, "×", 1.05, ratios(signs, hashes))
		r.atMost("engine: verifying one signature against SHA-256, "+f.name, "×", 1.1, ratios(verifies, hashes))
		r.atMost("engine: verifying two signatures against SHA-256 of each range, "+f.name, "×", 1.1, halved(ratios(twice, hashes)))
	}
	return nil
}

func halved(s sample) (out sample) {
	for _, v := range s {
		out = append(out, v/2)
	}
	return out
}

// appended is a file and what signing added, not joined on the disk.
func appended(file io.ReaderAt, size int64, delta []byte) (io.ReaderAt, int64) {
	added := int64(len(delta))
	return pades.Join(pades.Part{ReaderAt: file, Size: size}, pades.Part{ReaderAt: bytes.NewReader(delta), Size: added}), size + added
}

func (e *engine) verify(ctx context.Context, r io.ReaderAt, size int64) error {
	result, err := pades.Verify(ctx, r, size, pades.VerifyOptions{Roots: e.key.roots})
	if err == nil && result.Indication != pades.TotalPassed {
		err = fmt.Errorf("verified as %s", result.Indication)
	}
	return err
}

// archive: a signature with its timestamp, validation data and a timestamp over the document
// against the signature alone. Authorities and clock service answer from this process.
func (e *engine) archive(ctx context.Context, f engineFile, path string) error {
	if f.name != "1 GB" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	far := padestest.New()
	defer far.Close()
	who := far.Issue("Bench", e.key.private, nil)
	o := pades.Options{Chain: who.Chain(), Time: far.Now()}
	var plain, full sample
	for range 5 {
		o.Timestamped = false
		took, err := timed(func() error { _, _, err := e.sign(ctx, file, st.Size(), o, nil); return err })
		if err != nil {
			return err
		}
		plain = append(plain, took)
		o.Timestamped = true
		took, err = timed(func() error {
			p, delta, err := e.sign(ctx, file, st.Size(), o, far.Stamp)
			if err != nil {
				return err
			}
			state, _, err := p.StateAfter(delta)
			if err != nil {
				return err
			}
			r, size := appended(file, st.Size(), delta)
			_, err = pades.Extend(ctx, r, size, pades.ExtendOptions{Level: "B-LTA", Fetch: padestest.Fetch, Stamp: far.Stamp, Roots: far.Roots(), State: state})
			return err
		})
		if err != nil {
			return err
		}
		full = append(full, took)
	}
	e.b.report.tell("engine: B-LTA by the library, "+f.name, "s", full)
	e.b.report.atMost("engine: B-LTA against B-B, "+f.name, "×", 1.1, ratios(full, plain))
	return nil
}

type stamper func(ctx context.Context, digest []byte, h crypto.Hash) (*tsp.Token, error)

// sign makes a signature with the key at hand, and its timestamp if there is a stamper.
func (e *engine) sign(ctx context.Context, r io.ReaderAt, size int64, o pades.Options, stamp stamper) (*pades.Prepared, []byte, error) {
	p, err := pades.Prepare(r, size, o)
	if err != nil {
		return nil, nil, err
	}
	value, err := cms.SignLocal(p.Unsigned, e.key.private)
	if err != nil {
		return nil, nil, err
	}
	var token []byte
	if stamp != nil {
		over, err := p.StampDigest(value)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(over)
		t, err := stamp(ctx, sum[:], crypto.SHA256)
		if err != nil {
			return nil, nil, err
		}
		token = t.Raw
	}
	delta, err := p.Complete(value, token)
	return p, delta, err
}

// peers let each of the others sign; what they cannot is told, not hidden.
func (e *engine) peers(ctx context.Context, f engineFile, path string) error {
	out := filepath.Join(e.dir, "out.pdf")
	defer os.Remove(out)
	for _, peer := range []string{"signpdf-plain", "signpdf-pdf-lib", "libpdf"} {
		var took, memory sample
		for range f.peers {
			limited, stop := context.WithTimeout(ctx, 5*time.Minute)
			c, err := e.child(limited, "node", "bench/peers/sign.mjs", peer, path, out, e.key.p12)
			stop()
			_ = os.Remove(out)
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				fmt.Printf("   %s cannot sign %s: %v\n", peer, f.name, err)
				break
			}
			took, memory = append(took, c.seconds), append(memory, c.peak)
		}
		if len(took) == 0 {
			took, memory = sample{-1}, sample{-1} // -1: it failed
		}
		e.b.report.tell("engine: "+peer+" (-1: fails), "+f.name, "s", took)
		e.b.report.tell("engine: peak memory of "+peer+" (-1: fails), "+f.name, "MB", memory)
	}
	return nil
}

// ran is what a program took; peak is the most memory that was resident, in MB.
type ran struct{ seconds, peak float64 }

// child runs a program under time(1): what a process starts with is counted to it, and this
// one is larger than what is measured.
func (e *engine) child(ctx context.Context, name string, args ...string) (ran, error) {
	kept := filepath.Join(e.dir, "peak")
	c := exec.CommandContext(ctx, "/usr/bin/time", append([]string{"-q", "-f", "%M", "-o", kept, name}, args...)...)
	var said bytes.Buffer
	c.Stderr = &said
	begin := time.Now()
	if err := c.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		return ran{}, fmt.Errorf("%s: %w: %.300s", name, err, text)
	}
	took := time.Since(begin)
	text, err := os.ReadFile(kept)
	if err != nil {
		return ran{}, err
	}
	kb, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	return ran{took.Seconds(), kb * 1024 / 1e6}, err
}

func timed(do func() error) (float64, error) {
	begin := time.Now()
	err := do()
	return time.Since(begin).Seconds(), err
}

// hashOf is the least: every byte read and hashed, in pieces that fit a processor's cache.
func hashOf(r io.ReaderAt, size int64) error {
	h, piece := sha256.New(), make([]byte, 256<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.NewSectionReader(r, 0, size)}, piece); err != nil {
		return err
	}
	h.Sum(nil)
	return nil
}
