package pdf_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

func appendTo(t *testing.T, b []byte, change func(*pdf.Update)) []byte {
	t.Helper()
	u, err := open(t, b).NewUpdate()
	require.NoError(t, err)
	change(u)
	out, err := u.Append([]byte("seed"), zeros{})
	require.NoError(t, err)
	return append(bytes.Clone(b), out.Bytes...)
}

func TestAnUpdateHasTheTypeOfTheNewestSection(t *testing.T) {
	add := func(u *pdf.Update) { u.Add(pdf.NewDict(pdf.Name("New"), true)) }
	table, stream := pdftest.Plain(1), pdftest.Packed()
	require.Contains(t, string(appendTo(t, table, add)[len(table):]), "\nxref\n")
	require.Contains(t, string(appendTo(t, stream, add)[len(stream):]), "/Type /XRef")
	for _, b := range [][]byte{table, stream} {
		g := open(t, appendTo(t, b, add))
		require.False(t, g.Repaired)
		revs, err := g.Revisions()
		require.NoError(t, err)
		require.Len(t, revs, 2)
	}
}

func TestFreeNumbersAreNeverUsedAgainAndSizeMayLie(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	at := b.Len()
	places := make([]int, 4)
	for i := 1; i < 4; i++ {
		places[i] = strings.Index(b.String(), fmt.Sprintf("%d 0 obj", i))
	}
	fmt.Fprintf(b, "xref\n0 4\n0000000007 65535 f \n%010d 00000 n \n%010d 00000 n \n%010d 00000 n \n7 1\n0000000000 00001 f \n",
		places[1], places[2], places[3])
	fmt.Fprintf(b, "trailer\n<</Root 1 0 R /Size 3>>\nstartxref\n%d\n%%%%EOF", at)
	f := open(t, b.Bytes())
	u, err := f.NewUpdate()
	require.NoError(t, err)
	require.Equal(t, 8, u.Add(nil).Num)
	out, err := u.Append(nil, nil)
	require.NoError(t, err)
	require.Contains(t, string(out.Bytes), "/Size 9")
	require.True(t, bytes.HasPrefix(out.Bytes, []byte("\n8 0 obj")), "a file without a last end of line gets one")
}

func TestADanglingReferenceStaysDangling(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R]>>")
	b.Object(4, "<</T (a) /FT /Sig /V 5 0 R>>")
	b.Table("/Root 1 0 R")
	f := open(t, b.Bytes())
	_, err := f.Form()
	require.NoError(t, err)
	u, err := f.NewUpdate()
	require.NoError(t, err)
	require.Equal(t, 6, u.Add(nil).Num)
}

func TestTheTrailerIsKeptAndItsSecondIDRenewed(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	b.Object(4, "<</Producer (p)>>")
	b.Table("/Root 1 0 R /Info 4 0 R /ID [<AA> <BB>] /Custom (kept)")
	out := appendTo(t, b.Bytes(), func(u *pdf.Update) { u.Add(nil) })
	g := open(t, out)
	require.Equal(t, pdf.Ref{Num: 4}, g.Trailer.Get("Info"))
	require.Equal(t, "kept", string(g.Trailer.Get("Custom").(pdf.String).Value))
	ids := g.Trailer.Get("ID").(pdf.Array)
	require.Equal(t, []byte{0xaa}, ids[0].(pdf.String).Value)
	require.NotEqual(t, []byte{0xbb}, ids[1].(pdf.String).Value)
	require.Len(t, ids[1].(pdf.String).Value, 16)
}

func TestRevisionsEndWhereTheFileOnceDid(t *testing.T) {
	var ends []int
	for name, b := range map[string][]byte{"table": pdftest.Plain(1), "stream": pdftest.Packed()} {
		t.Run(name, func(t *testing.T) {
			ends = []int{len(b)}
			for i := range 3 {
				b = appendTo(t, b, func(u *pdf.Update) { u.Add(pdf.Integer(int64(i))) })
				ends = append(ends, len(b))
			}
			f := open(t, b)
			revs, err := f.Revisions()
			require.NoError(t, err)
			require.Len(t, revs, 4)
			for i, r := range revs {
				require.EqualValues(t, ends[i], r.End)
				require.Equal(t, i+1, r.Number)
				old, err := f.At(r.End)
				require.NoError(t, err)
				was, err := old.Revisions()
				require.NoError(t, err)
				require.Len(t, was, i+1)
			}
			changed, err := f.Changed(revs[3])
			require.NoError(t, err)
			require.False(t, changed[0].Free)
			require.Equal(t, pdf.Integer(2), resolve(t, f, changed[0].Num))
		})
	}
}

// TestWhatIsWrittenIsReadBack writes any object and reads it again.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	base := pdftest.Plain(1)
	var object func(depth int) *rapid.Generator[pdf.Object]
	object = func(depth int) *rapid.Generator[pdf.Object] {
		return rapid.Custom(func(t *rapid.T) pdf.Object {
			top := 7
			if depth > 3 {
				top = 5
			}
			switch rapid.IntRange(0, top).Draw(t, "kind") {
			case 0:
				return nil
			case 1:
				return rapid.Bool().Draw(t, "bool")
			case 2:
				return pdf.Integer(rapid.Int64().Draw(t, "int"))
			case 3:
				return pdf.String{Value: rapid.SliceOf(rapid.Byte()).Draw(t, "string"), Hex: rapid.Bool().Draw(t, "hex")}
			case 4:
				return pdf.Name(rapid.SliceOf(rapid.Byte()).Draw(t, "name"))
			case 5:
				return pdf.Ref{Num: rapid.IntRange(1, 1000).Draw(t, "num"), Gen: rapid.IntRange(0, 65535).Draw(t, "gen")}
			case 6:
				return append(pdf.Array{}, rapid.SliceOfN(object(depth+1), 0, 5).Draw(t, "array")...)
			}
			d := pdf.NewDict()
			for range rapid.IntRange(0, 5).Draw(t, "n") {
				d.Set(pdf.Name(rapid.StringN(0, 9, -1).Draw(t, "key")), object(depth+1).Draw(t, "value"))
			}
			return d
		})
	}
	rapid.Check(t, func(rt *rapid.T) {
		o := pdf.Array{object(0).Draw(rt, "object")}
		var ref pdf.Ref
		out := appendTo(t, base, func(u *pdf.Update) { ref = u.Add(o) })
		require.Equal(rt, plain(o), plain(resolve(t, open(t, out), ref.Num)))
	})
}

// plain forgets where strings lie.
func plain(o pdf.Object) any {
	switch v := o.(type) {
	case pdf.String:
		return append([]byte{}, v.Value...)
	case pdf.Array:
		out := []any{}
		for _, x := range v {
			out = append(out, plain(x))
		}
		return out
	case *pdf.Dict:
		out := []any{}
		for _, k := range v.Keys() {
			out = append(out, k, plain(v.Get(k)))
		}
		return map[string]any{"dict": out}
	}
	return o
}
