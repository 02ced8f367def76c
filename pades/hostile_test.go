package pades_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/md5"
	"crypto/rc4"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

// refs are n references to objects from a number on.
func refs(from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d 0 R ", from+i)
	}
	return b.String()
}

func sortedKeys(m map[int]string) []int { return slices.Sorted(maps.Keys(m)) }

// hostile are files that ask for more than they are worth. Each has some megabytes at most.
func hostile(t *testing.T) map[string]func() []byte {
	tree := func(catalog, kids string, more func(*pdftest.Builder)) []byte {
		b := pdftest.New("%PDF-1.7\n")
		b.Object(1, "<</Type /Catalog /Pages 2 0 R "+catalog+">>")
		b.Object(2, "<</Type /Pages /Kids ["+kids+"] /Count 1>>")
		more(b)
		b.Table("/Root 1 0 R")
		return b.Bytes()
	}
	all := map[string]func() []byte{
		"one large object, met a thousand times beside others": func() []byte {
			return tree("/AcroForm <</Fields ["+refs(10, 4000)+"]>>", "3 0 R", func(b *pdftest.Builder) {
				b.Object(3, "<</Type /Page>>")
				b.Object(4, "["+strings.Repeat("(x) ", 1<<20)+"]")
				for i := range 4000 {
					b.Object(10+i, "<</T (f) /FT /Tx /Kids 4 0 R>>")
				}
			})
		},
		"object streams that push each other out": func() []byte {
			b := pdftest.New("%PDF-1.7\n")
			kids := ""
			for round := range 40 {
				for i := range 16 {
					kids += fmt.Sprintf("%d 0 R ", 100+i*40+round)
				}
			}
			b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
			b.Object(2, "<</Type /Pages /Kids ["+kids+"] /Count 9999>>")
			for i := range 16 {
				var head, body strings.Builder
				for j := range 40 {
					fmt.Fprintf(&head, "%d 0 ", 100+i*40+j)
					b.Packed(10+i, 100+i*40+j)
				}
				body.WriteString("<</Kids []>>" + strings.Repeat(" ", 15<<20))
				var z bytes.Buffer
				w := zlib.NewWriter(&z)
				_, _ = w.Write([]byte(head.String() + body.String()))
				_ = w.Close()
				b.Stream(10+i, fmt.Sprintf("/Type /ObjStm /Filter /FlateDecode /N 40 /First %d", head.Len()), z.String())
			}
			b.Index(3, "/Root 1 0 R")
			return b.Bytes()
		},
		"thousands of sections, asked for objects that none has": func() []byte {
			b := pdftest.New("%PDF-1.7\n")
			b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
			b.Object(2, "<</Type /Pages /Kids ["+refs(100_000, 100_000)+"] /Count 1>>")
			b.Table("/Root 1 0 R")
			for range 4000 {
				b.Object(3, "<</Type /Page>>")
				b.Table("/Root 1 0 R")
			}
			return b.Bytes()
		},
		"a hundred thousand fields, a hundred deep": func() []byte {
			return tree("/AcroForm <</Fields [1000 0 R]>>", "3 0 R", func(b *pdftest.Builder) {
				b.Object(3, "<</Type /Page>>")
				for i := range 90 {
					b.Object(1000+i, fmt.Sprintf("<</T (%s) /Kids [%d 0 R]>>", strings.Repeat("n", 1000), 1001+i))
				}
				b.Object(1090, "<</T (last) /Kids ["+refs(2000, 90_000)+"]>>")
				for i := range 90_000 {
					b.Object(2000+i, "<</T (f) /FT /Sig>>")
				}
			})
		},
		"a million marks on a page": func() []byte {
			return tree("", "3 0 R", func(b *pdftest.Builder) {
				b.Object(3, "<</Type /Page /Annots ["+strings.Repeat("4 0 R ", 1_000_000)+"]>>")
				b.Object(4, "<</Type /Annot /A <</S /Launch>>>>")
			})
		},
		"pages that fan out": func() []byte {
			return tree("", strings.Repeat("3 0 R ", 200_000), func(b *pdftest.Builder) {
				b.Object(3, "<</Kids ["+strings.Repeat("<</Kids [null null]>> ", 20_000)+"]>>")
			})
		},
		"names and strings of megabytes": func() []byte {
			return tree("/"+strings.Repeat("#41", 1<<20)+" ("+strings.Repeat("\\(", 2<<20)+")", "3 0 R", func(b *pdftest.Builder) { b.Object(3, "<</Type /Page>>") })
		},
		"lengths that lead on":  func() []byte { return tree("/Metadata 10 0 R", "3 0 R", chain) },
		"the word obj, and on":  func() []byte { return []byte("%PDF-1.7\n" + strings.Repeat("1 0 obj ", 2<<20)) },
		"stray words for years": func() []byte { return []byte("%PDF-1.7\n" + strings.Repeat("trailer<<", 1<<20)) },
		"signed, and a million objects after it": func() []byte {
			b := bytes.NewBuffer(signFile(t, paper(), signing{}))
			return grown(b.Bytes(), 250_000)
		},
		"signed, and a thousand updates after it": func() []byte {
			file := signFile(t, paper(), signing{})
			for i := range 1000 {
				file = update(file, map[int]string{8: fmt.Sprint(i)}, "")
			}
			return file
		},
		"strings under a cipher, met again and again": func() []byte {
			return ciphered(func(b *pdftest.Builder) {
				kids := ""
				for i := range 4000 {
					kids += fmt.Sprintf("%d 0 R ", 10+i)
					b.Object(10+i, fmt.Sprintf("<</Type /Pages /Kids %d 0 R>>", 6+i%2))
				}
				b.Object(6, "["+strings.Repeat("<00> ", 40_000)+"]")
				b.Object(7, "["+strings.Repeat("<00> ", 40_000)+"]")
				b.Object(2, "<</Type /Pages /Kids ["+kids+"]>>")
			})
		},
		"a store of thousands": func() []byte {
			file := signFile(t, paper(), signing{stamp: true})
			objs := map[int]string{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /DSS 69 0 R>>", 69: "<</Certs [" + refs(1000, 20_000) + "]>>"}
			for i := range 20_000 {
				objs[1000+i] = "<</Length 3>>\nstream\nabc\nendstream"
			}
			return update(file, objs, "")
		},
	}
	if !raced {
		maps.Copy(all, shapes())
		maps.Copy(all, signedShapes(t))
	}
	return all
}

// ciphered is a file under RC4 of 40 bits and the empty password (ISO 32000-1, algorithms 2 and 4).
func ciphered(more func(*pdftest.Builder)) []byte {
	pad := []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")
	owner := make([]byte, 32)
	sum := md5.Sum(append(append(bytes.Clone(pad), owner...), 0xfc, 0xff, 0xff, 0xff))
	c := must(rc4.NewCipher(sum[:5]))
	user := make([]byte, 32)
	c.XORKeyStream(user, pad)
	b := pdftest.New("%PDF-1.4\n")
	b.Pages(1, "")
	more(b)
	b.Table(fmt.Sprintf("/Root 1 0 R /Encrypt <</Filter /Standard /V 1 /R 2 /P -4 /O <%x> /U <%x>>>", owner, user))
	return b.Bytes()
}

// chain is streams whose length is in the next one's object, and so on.
func chain(b *pdftest.Builder) {
	b.Object(3, "<</Type /Page>>")
	for i := range 20_000 {
		b.Object(10+i, fmt.Sprintf("<</Length %d 0 R>>\nstream\nx\nendstream", 11+i))
	}
}

// grown appends an update with many small objects under one run of numbers.
func grown(file []byte, n int) []byte {
	b := bytes.NewBuffer(file)
	places := make([]int, n)
	for i := range n {
		places[i] = b.Len()
		fmt.Fprintf(b, "%d 0 obj\n<</A %d 0 R>>\nendobj\n", 1000+i, 1000+(i*7)%n)
	}
	start, m := b.Len(), startxref.FindAllSubmatch(file, -1)
	fmt.Fprintf(b, "xref\n1000 %d\n", n)
	for _, at := range places {
		fmt.Fprintf(b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(b, "trailer\n<</Size %d /Root 1 0 R /Prev %s>>\nstartxref\n%d\n%%%%EOF\n", 1000+n, m[len(m)-1][1], start)
	return b.Bytes()
}

// cpu is the time this process has spent on a processor.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// held runs something and gives what it held of the heap at most, sampled, and what it cost.
// A limit of memory stands in for a small machine: garbage is collected when the limit comes
// near, and no earlier than usual, so that collecting costs what it would cost there. What is
// held all the same is over the limit, and is seen.
func held(t *testing.T, run func()) (heap uint64, cost time.Duration) {
	t.Helper()
	debug.FreeOSMemory()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	before, begin := sample[0].Value.Uint64(), cpu(t)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(sample[1].Value.Uint64() - sample[2].Value.Uint64() + 40<<20)))
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sample := sample[:1]
		for {
			metrics.Read(sample)
			most.Store(max(most.Load(), sample[0].Value.Uint64()))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	run()
	cost = cpu(t) - begin
	close(stop)
	<-stopped
	return most.Load() - min(before, most.Load()), cost
}

// Two seconds of a processor are the goal; the test leaves room for machines that are slow
// and busy, and for the race detector. Under that every third shape is verified, and most are only
// inspected, with a small budget: make soak runs all of them in earnest.
func TestNoFileCostsMoreThanItsLimits(t *testing.T) {
	s, n := ecSigner(), 0
	for name, file := range each(hostile(t)) {
		if n++; raced && n%3 != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b := file()
			if !raced {
				costs(t, b, costMost, "prepare", func() error {
					_, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
					return err
				})
				costs(t, b, costMost, "inspect", func() error { _, err := pades.Inspect(bytes.NewReader(b), int64(len(b))); return err })
			}
			costs(t, b, costMost, "verify", func() error {
				_, err := pades.Verify(context.Background(), bytes.NewReader(b), int64(len(b)), pades.VerifyOptions{Roots: theAuthority().roots})
				return err
			})
		})
	}
}

func TestASmallBudgetEndsTheWorkOnAnyShape(t *testing.T) {
	for name, file := range each(shapes()) {
		if raced && (strings.HasSuffix(name, "a subsection for each object") || strings.HasSuffix(name, "object streams")) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b := file()
			costs(t, b, costMost/4, "inspect", func() error {
				_, err := pades.InspectWith(bytes.NewReader(b), int64(len(b)), pdf.Options{Limits: pdf.Limits{Work: 100 * time.Millisecond}})
				return err
			})
		})
	}
}

// each gives files by name, in order.
func each(files map[string]func() []byte) iter.Seq2[string, func() []byte] {
	return func(yield func(string, func() []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if !yield(name, files[name]) {
				return
			}
		}
	}
}

// costs measures what is done with a file.
func costs(t *testing.T, b []byte, most time.Duration, what string, run func() error) {
	t.Helper()
	var err error
	heap, cost := held(t, func() { err = run() })
	t.Logf("%s: %d kB file, %d MB held, %v: %v", what, len(b)>>10, heap>>20, cost.Round(time.Millisecond), err)
	assert.Less(t, cost, most, what)
	assert.Less(t, heap, uint64(64<<20), what)
	var refused *pades.Refusal
	assert.True(t, err == nil || errors.As(err, &refused), "%s: an error that names no reason: %v", what, err)
}
