package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"countersign/pades"
)

// sample is a signed file and what there is to say about it.
type sample struct {
	Name       string
	File       string
	Level      string // of each signature; when spoilt: the level that it must not reach
	Signatures int    // without document timestamps
	Spoilt     bool   // made to fail
	At         time.Time
	Not        map[string]string // judges that do not agree, and the words they do it with: docs/interop.md says why
	Blind      string            // the judge that does not look for what is wrong here
	Before     string            // PDF/A as it was before signing
	OnlyPDFA   bool              // signed for veraPDF alone
}

// order is a sample as a line for a judge. Revocation comes from responders only where a
// file has no data of its own.
func (s *sample) order() string {
	how, at := "offline", ""
	if s.Level == "B-B" || s.Level == "B-T" {
		how = "online"
	}
	if !s.At.IsZero() {
		at = s.At.UTC().Format(time.RFC3339)
	}
	return strings.Join([]string{s.File, how, at}, "\t")
}

// hold compares what a judge says with what must be.
func (s *sample) hold(judge string, a answer) verdict {
	why := s.trouble(a)
	switch expected, known := s.Not[judge]; {
	case s.Spoilt && why == "" && s.Blind != judge:
		return verdict{s.Name, "was taken for good"}
	case s.Spoilt:
		return verdict{sample: s.Name}
	case known && strings.Contains(why, expected):
		return verdict{sample: s.Name}
	case known:
		return verdict{s.Name, fmt.Sprintf("%q was expected: %s", expected, why)}
	}
	return verdict{s.Name, why}
}

func (s *sample) trouble(a answer) string {
	if a.Error != "" {
		return a.Error
	}
	signatures := 0
	for _, o := range a.Signatures {
		if o.Why != "" {
			return o.Field + ": " + o.Why
		}
		if o.Kind != "signature" {
			continue
		}
		signatures++
		if o.Level != s.Level {
			return fmt.Sprintf("%s: %s, not %s %s", o.Field, o.Level, s.Level, o.Next)
		}
	}
	if signatures != s.Signatures {
		return fmt.Sprintf("%d signatures, not %d", signatures, s.Signatures)
	}
	return ""
}

// signed are the samples for judges of signatures.
func (k *kit) signed() (out []*sample) {
	for i := range k.samples {
		if !k.samples[i].OnlyPDFA {
			out = append(out, &k.samples[i])
		}
	}
	return out
}

// poll asks a judge about all samples.
func (k *kit) poll(judge string, put func(orders []string) ([]answer, error)) ([]verdict, error) {
	samples := k.signed()
	var orders []string
	for _, s := range samples {
		orders = append(orders, s.order())
	}
	answers, err := put(orders)
	if err != nil {
		return nil, err
	}
	if len(answers) != len(samples) {
		return nil, fmt.Errorf("%d answers to %d orders", len(answers), len(samples))
	}
	var out []verdict
	for i, a := range answers {
		out = append(out, samples[i].hold(judge, a))
	}
	return out, nil
}

func (t *tools) pyHanko(ctx context.Context, k *kit) ([]verdict, error) {
	return k.poll("PYHANKO", func(orders []string) ([]answer, error) {
		return ask(ctx, orders, t.python, filepath.Join(t.here, "pyhanko", "judge.py"), k.rootFile)
	})
}

func (t *tools) dss(ctx context.Context, k *kit) ([]verdict, error) {
	return k.poll("DSS", func(orders []string) ([]answer, error) {
		return t.java(ctx, "dss", orders, k.rootFile, k.pki.URL+"/tsa")
	})
}

func judgeOurselves(ctx context.Context, k *kit) ([]verdict, error) {
	return k.poll("PADES", func([]string) (out []answer, err error) {
		for _, s := range k.signed() {
			out = append(out, k.ourAnswer(ctx, s))
		}
		return out, nil
	})
}

func (k *kit) ourAnswer(ctx context.Context, s *sample) answer {
	a := answer{File: s.File}
	f, err := os.Open(s.File)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return answer{Error: err.Error()}
	}
	r, err := pades.Verify(ctx, f, st.Size(), pades.VerifyOptions{Roots: k.pki.Roots(), Now: s.At})
	if err != nil {
		return answer{Error: err.Error()}
	}
	for _, sig := range r.Signatures {
		o := opinion{Field: sig.Field, Kind: sig.Type, Level: sig.Level}
		if sig.Indication != pades.TotalPassed {
			o.Why = fmt.Sprintf("%s %s: %s", sig.Indication, sig.SubIndication, sig.Explanation)
		}
		a.Signatures = append(a.Signatures, o)
	}
	return a
}

// veraPDF counts the violations before and after signing, of the flavour that the file claims.
func (t *tools) veraPDF(ctx context.Context, k *kit) ([]verdict, error) {
	var samples []*sample
	var orders []string
	for i := range k.samples {
		if s := &k.samples[i]; s.Before != "" {
			samples = append(samples, s)
			orders = append(orders, s.Before+"\t")
		}
	}
	if len(samples) == 0 {
		return nil, nil
	}
	before, err := t.java(ctx, "verapdf", orders)
	if err != nil || len(before) != len(samples) {
		return nil, fmt.Errorf("%d answers to %d orders: %w", len(before), len(orders), err)
	}
	for i, s := range samples {
		orders[i] = s.File + "\t" + before[i].Flavour
	}
	after, err := t.java(ctx, "verapdf", orders)
	if err != nil || len(after) != len(samples) {
		return nil, fmt.Errorf("%d answers to %d orders: %w", len(after), len(orders), err)
	}
	var out []verdict
	for i, s := range samples {
		why := before[i].Error + after[i].Error
		for rule, n := range after[i].Violations {
			if was := before[i].Violations[rule]; n > was {
				why += fmt.Sprintf("PDF/A-%s rule %s: %d violations, were %d; ", before[i].Flavour, rule, n, was)
			}
		}
		switch {
		case s.Spoilt && why == "":
			why = "was taken for good"
		case s.Spoilt:
			why = ""
		}
		out = append(out, verdict{s.Name, why})
	}
	return out, nil
}
