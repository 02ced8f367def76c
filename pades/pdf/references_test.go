package pdf_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

// versioned has four versions: objects are replaced, freed, packed, and their pack is
// replaced; cuts are where they end.
func versioned() (file []byte, cuts []int64) {
	b := pdftest.New("%PDF-1.7\n")
	end := func(table bool) {
		if table {
			b.Table("/Root 1 0 R")
		} else {
			b.Index(90+len(cuts), "/Root 1 0 R")
		}
		cuts = append(cuts, int64(b.Len()))
	}
	b.Pages(1, "")
	b.Object(10, "<</A 11 0 R /B [50 0 R 51 0 R]>>")
	b.Pack(20, map[int]string{30: "<</P 52 0 R>>", 31: "[53 0 R]"})
	end(false)
	b.Object(10, "<</A 11 0 R>>")
	b.Object(11, "<</Only 54 0 R>>")
	end(true)
	head, body := "30 0 31 14 ", "<</P 55 0 R>> [56 0 R]"
	b.Stream(20, fmt.Sprintf("/Type /ObjStm /N 2 /First %d", len(head)), head+body) // nothing says so of 30 and 31
	end(true)
	b.Pack(21, map[int]string{31: "[57 0 R]"})
	b.Object(11, "null")
	end(false)
	return b.Bytes(), cuts
}

// A pass over all versions sees in each what a pass over it alone sees.
func TestAPassOverAllVersionsSeesWhatEachHolds(t *testing.T) {
	file, cuts := versioned()
	f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Options{})
	require.NoError(t, err)
	require.False(t, f.Repaired)
	var versions []*pdf.File
	alone := make([]map[string]bool, len(cuts))
	for i, n := range cuts {
		v, err := f.At(n)
		require.NoError(t, err)
		versions = append(versions, v)
		alone[i] = map[string]bool{}
		require.NoError(t, pdf.EachReference([]*pdf.File{v}, func(_, _ int, from, to pdf.Ref) error {
			alone[i][fmt.Sprint(from, to)] = true
			return nil
		}))
	}
	together := make([]map[string]bool, len(cuts))
	for i := range together {
		together[i] = map[string]bool{}
	}
	visits := map[string]int{}
	require.NoError(t, pdf.EachReference(versions, func(first, last int, from, to pdf.Ref) error {
		visits[fmt.Sprint(from, to)]++
		for i := first; i <= last; i++ {
			together[i][fmt.Sprint(from, to)] = true
		}
		return nil
	}))
	require.Equal(t, alone, together)
	require.Contains(t, alone[0], "{10 0} {50 0}")
	require.NotContains(t, alone[1], "{10 0} {50 0}")
	require.Contains(t, alone[1], "{30 0} {52 0}")
	require.Contains(t, alone[2], "{30 0} {55 0}", "the pack was replaced")
	require.Contains(t, alone[3], "{31 0} {57 0}")
	require.Equal(t, 1, visits["{1 0} {2 0}"], "what all have in common is read once")
	require.Error(t, pdf.EachReference([]*pdf.File{versions[1], versions[0]}, nil), "not in their order")
}

// locksPlainly is the rule itself (ISO 32000-2, 12.8.2.4): a name, or one below it.
func locksPlainly(list []string, name string) bool {
	for _, n := range list {
		if n == name || strings.HasPrefix(name, n+".") {
			return true
		}
	}
	return false
}

func TestLongListsOfLockedNamesLockWhatShortOnesDo(t *testing.T) {
	names := []string{"", "a", "a.b", "b.c.d", "x.", "ä.ö"}
	for i := range 40 {
		names = append(names, fmt.Sprintf("field%d.part", i))
	}
	asked := append([]string{".", ".a", "a.", "a.b.c", "ab", "b", "b.c", "b.c.d.e", "x", "x..y", "ä.ö.ü", "field1", "field1.partly", "field1.part.more", "field1.part."}, names...)
	for _, list := range [][]string{names, names[1:], names[1:4]} {
		text := ""
		for _, n := range list {
			text += fmt.Sprintf("<%x> ", utf16BE(n))
		}
		file := formed("[4 0 R]", "<</T (a) /FT /Sig /Lock <</Action /Include /Fields ["+text+"]>>>>")
		f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Options{})
		require.NoError(t, err)
		fields, err := f.Fields()
		require.NoError(t, err)
		lock, _, err := f.Lock(fields[0])
		require.NoError(t, err)
		require.Equal(t, list, lock.Fields)
		for _, name := range asked {
			require.Equal(t, locksPlainly(list, name), lock.Locks(name), "%q of %d names", name, len(list))
		}
	}
}

func utf16BE(s string) []byte {
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

func TestTextIsDecodedAsTheStandardLibraryDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		units := make([]uint16, r.IntN(6))
		b := []byte{0xfe, 0xff}
		for i := range units {
			units[i] = uint16(r.Uint32())
			if r.IntN(2) == 0 {
				units[i] = 0xd800 + units[i]%0x800 // surrogates, in pairs or not
			}
			b = append(b, byte(units[i]>>8), byte(units[i]))
		}
		require.Equal(t, string(utf16.Decode(units)), pdf.String{Value: b}.Text(), "%x", b)
		require.Equal(t, string(utf16.Decode(units)), pdf.String{Value: append(b, 7)}.Text(), "an odd byte at the end of %x", b)
	}
	require.Equal(t, "aÿé", pdf.String{Value: []byte("a\xff\xe9")}.Text())
}

// Indexes of object streams come in any order, and may name an object twice: the last counts.
func TestAnObjectIsFoundInAnObjectStreamOfAnyOrder(t *testing.T) {
	objects := map[int]string{12: "(twelve)", 9: "(nine)", 30: "(thirty)", 10: "(ten)"}
	head, body := "12 0 ", "(wrong) "
	for _, n := range []int{30, 9, 12, 10} {
		head += fmt.Sprintf("%d %d ", n, len(body))
		body += objects[n] + " "
	}
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	b.Stream(5, fmt.Sprintf("/Type /ObjStm /N 5 /First %d", len(head)), head+body)
	for n := range maps.Keys(objects) {
		b.Packed(5, n)
	}
	b.Index(6, "/Root 1 0 R")
	f, err := pdf.OpenStrict(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
	require.NoError(t, err)
	for n, want := range objects {
		o, err := f.Resolve(pdf.Ref{Num: n})
		require.NoError(t, err)
		s, _ := o.(pdf.String)
		require.Equal(t, want, "("+string(s.Value)+")")
	}
	o, err := f.Resolve(pdf.Ref{Num: 11})
	require.NoError(t, err)
	require.Nil(t, o)
}
