package pades_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
	"testing"

	"countersign/pades/pdf/pdftest"
)

// layouts are the ways a file's objects may lie in it: each has its own cost of finding them.
var layouts = map[string]func(map[int]string) []byte{
	"a subsection for each object": func(objs map[int]string) []byte { return lay(objs, false) },
	"a plain table":                func(objs map[int]string) []byte { return lay(objs, true) },
	"object streams":               packed,
}

func lay(objs map[int]string, joined bool) []byte {
	b := pdftest.New("%PDF-1.7\n")
	b.Joined = joined
	for _, n := range sortedKeys(objs) {
		b.Object(n, objs[n])
	}
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

// packed puts a hundred objects into each object stream, or a megabyte, deflated as writers do.
func packed(objs map[int]string) []byte {
	b := bytes.NewBufferString("%PDF-1.7\n")
	nums := sortedKeys(objs)
	next := nums[len(nums)-1] + 1
	data, places := &bytes.Buffer{}, &bytes.Buffer{}
	index := ""
	for i, to := 0, 0; i < len(nums); i = to {
		var head, body strings.Builder
		for j, n := range nums[i:min(len(nums), i+100)] {
			if body.Len() > 1<<20 {
				break
			}
			to = i + j + 1
			fmt.Fprintf(&head, "%d %d ", n, body.Len())
			body.WriteString(objs[n] + "\n")
			if i+j == 0 || nums[i+j-1] != n-1 {
				index += fmt.Sprintf("%d %d ", n, runFrom(nums[i+j:]))
			}
			data.Write([]byte{2, 0, byte(next >> 16), byte(next >> 8), byte(next), byte(j)})
		}
		places.Write([]byte{1, byte(b.Len() >> 24), byte(b.Len() >> 16), byte(b.Len() >> 8), byte(b.Len()), 0})
		z := deflated(head.String() + body.String())
		fmt.Fprintf(b, "%d 0 obj\n<</Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream\nendobj\n",
			next, to-i, head.Len(), len(z), z)
		next++
	}
	index += fmt.Sprintf("%d %d", nums[len(nums)-1]+1, places.Len()/6)
	start := b.Len()
	fmt.Fprintf(b, "%d 0 obj\n<</Type /XRef /W [1 4 1] /Index [%s] /Size %d /Root 1 0 R /Length %d>>\nstream\n%s%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		next, index, next+1, data.Len()+places.Len(), data, places, start)
	return b.Bytes()
}

// runFrom counts consecutive numbers.
func runFrom(nums []int) (n int) {
	for n < len(nums) && nums[n] == nums[0]+n {
		n++
	}
	return n
}

func deflated(text string) string {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(text)) // a Buffer takes all
	_ = w.Close()
	return z.String()
}

// formOf is a form of n text fields of one page, with more in each.
func formOf(n int, more string) map[int]string {
	objs := map[int]string{
		1: "<</Type /Catalog /Pages 2 0 R /AcroForm 4 0 R>>",
		2: "<</Type /Pages /Kids [3 0 R] /Count 1>>",
		3: "<</Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources <<>>>>",
		4: "<</Fields [" + refs(10, n) + "]>>",
	}
	for i := range n {
		objs[10+i] = fmt.Sprintf("<</FT /Tx /T (field%d) /Rect [0 0 9 9] /Subtype /Widget %s>>", i, more)
	}
	return objs
}

// shapes are trees, lists and forms that make a small file dear.
func shapes() map[string]func() []byte {
	out := map[string]func() []byte{}
	each := func(name string, objs func() map[int]string) {
		for layout, write := range layouts {
			out[name+", "+layout] = func() []byte { return write(objs()) }
		}
	}
	each("one list of kids for thousands of nodes of the page tree", func() map[int]string {
		objs := formOf(0, "")
		objs[2] = "<</Type /Pages /Kids [" + refs(10, 5000) + "] /Count 1>>"
		objs[5] = "[" + strings.Repeat("1 0 R ", 300_000) + "]"
		for i := range 5000 {
			objs[10+i] = "<</Type /Pages /Kids 5 0 R>>"
		}
		return objs
	})
	each("one list of kids for thousands of nodes, of nulls", func() map[int]string {
		objs := formOf(0, "")
		objs[2] = "<</Type /Pages /Kids [" + refs(10, 5000) + "] /Count 1>>"
		objs[5] = "[" + strings.Repeat("0 ", 300_000) + "]"
		for i := range 5000 {
			objs[10+i] = "<</Type /Pages /Kids 5 0 R>>"
		}
		return objs
	})
	each("one list of kids for thousands of fields", func() map[int]string {
		objs := formOf(20_000, "/Kids 5 0 R")
		objs[5] = "[" + strings.Repeat("3 0 R ", 300_000) + "]"
		return objs
	})
	each("one list of kids that are fields for thousands of fields", func() map[int]string {
		objs := formOf(20_000, "/Kids 5 0 R")
		objs[5] = "[" + strings.Repeat("6 0 R ", 300_000) + "]"
		objs[6] = "<</T (again) /Parent 10 0 R>>"
		return objs
	})
	each("fields that hold long lists", func() map[int]string {
		return formOf(400, "/Opt ["+strings.Repeat("0 ", 20_000)+"]")
	})
	each("a way down the page tree that is heavy at each step", func() map[int]string {
		objs := formOf(0, "")
		for i := range 60 {
			objs[10+i] = fmt.Sprintf("<</Type /Pages /Kids [%d 0 R %s]>>", 11+i, strings.Repeat("0 ", 200_000))
		}
		objs[2], objs[70] = "<</Type /Pages /Kids [10 0 R]>>", objs[3]
		return objs
	})
	each("a way down the form that is heavy at each step", func() map[int]string {
		objs := formOf(1, "")
		for i := range 60 {
			objs[10+i] = fmt.Sprintf("<</T (f) /Kids [%d 0 R %s]>>", 11+i, strings.Repeat("0 ", 200_000))
		}
		return objs
	})
	each("pages that share a list of marks", func() map[int]string {
		objs := formOf(0, "")
		objs[2] = "<</Type /Pages /Kids [" + refs(10, 5000) + "] /Count 5000>>"
		objs[5] = "[" + strings.Repeat("<</A 0>> ", 50_000) + "]"
		for i := range 5000 {
			objs[10+i] = "<</Type /Page /Parent 2 0 R /Annots 5 0 R>>"
		}
		return objs
	})
	each("fields far apart", func() map[int]string {
		const n, step = 40_000, 397
		objs := formOf(n, "/TU ("+strings.Repeat("x", 250)+")")
		kids := ""
		for i := range n {
			kids += fmt.Sprintf("%d 0 R ", 10+i*step%n)
		}
		objs[4] = "<</Fields [" + kids + "]>>"
		return objs
	})
	for name, filter := range map[string]string{"hexadecimal": "/ASCIIHexDecode", "85": "/ASCII85Decode", "plain": "[]", "four at once": "[/AHx /AHx /AHx /AHx]", "Crypt": "[/Crypt /Crypt /Crypt /Crypt]"} {
		out["a form in parts that are all one, "+name] = func() []byte {
			objs := formOf(1, "")
			objs[4] = "<</Fields [10 0 R] /XFA [" + strings.Repeat("5 0 R ", 100_000) + "]>>"
			data := strings.Repeat("3", 4<<20-10)
			objs[5] = fmt.Sprintf("<</Filter %s /Length %d>>\nstream\n%s\nendstream", filter, len(data), data)
			return lay(objs, true)
		}
	}
	return more(out)
}

// more are shapes of indexes, object streams and lists that are compared.
func more(out map[string]func() []byte) map[string]func() []byte {
	out["sections that share their entries"] = func() []byte {
		// Only the first and the last entry of a run are looked at: between them others begin.
		b := bytes.NewBufferString("%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type /Pages /Kids [3 0 R]>>\nendobj\n3 0 obj\n<</Type /Page>>\nendobj\n")
		const sections, n = 3000, 200_000
		entry := fmt.Sprintf("%010d 00000 n \n", 9)
		first := b.Len()
		for range sections {
			fmt.Fprintf(b, "xref\n%-3d %-10d\n%s%s", 0, n, entry, entry)
		}
		b.WriteString(strings.Repeat(entry, n+1-3*sections))
		for i := range sections {
			prev := ""
			if i > 0 {
				prev = fmt.Sprintf("/Prev %d", first+60*(i-1))
			}
			fmt.Fprintf(b, "%-40s%s", "trailer<<"+prev+"/Root 1 0 R>>", entry)
		}
		at := b.Len()
		b.WriteString("xref\n1 3\n")
		for _, n := range []int{1, 2, 3} {
			fmt.Fprintf(b, "%010d 00000 n \n", bytes.Index(b.Bytes(), fmt.Appendf(nil, "%d 0 obj", n)))
		}
		fmt.Fprintf(b, "trailer\n<</Size %d /Root 1 0 R /Prev %d>>\nstartxref\n%d\n%%%%EOF\n", n, first+60*(sections-1), at)
		return b.Bytes()
	}
	out["heavy trailers"] = func() []byte {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "")
		for range 60 {
			b.Table("/Root 1 0 R /Junk [" + strings.Repeat("0 ", 200_000) + "]")
			b.Object(3, onePage)
		}
		b.Table("/Root 1 0 R")
		return b.Bytes()
	}
	out["an index of many subsections, twelve times"] = func() []byte {
		b := bytes.NewBufferString("%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type /Pages /Kids [3 0 R]>>\nendobj\n3 0 obj\n<</Type /Page>>\nendobj\n")
		var index strings.Builder
		for i := range 160_000 {
			fmt.Fprintf(&index, "%d 1 ", 10+2*i)
		}
		prev := ""
		for i := range 12 {
			at := b.Len()
			fmt.Fprintf(b, "%d 0 obj\n<</Type /XRef /W [0 1 0] /Index [%s] /Size 1000000 /Root 1 0 R %s /Filter /FlateDecode", 5_000_000+i, index.String(), prev)
			z := deflated(strings.Repeat("\x09", 160_000))
			fmt.Fprintf(b, " /Length %d>>\nstream\n%s\nendstream\nendobj\n", len(z), z)
			prev = fmt.Sprintf("/Prev %d", at)
		}
		at := b.Len()
		fmt.Fprintf(b, "xref\n0 4\n%010d 65535 f \n", 0)
		for _, n := range []int{1, 2, 3} {
			fmt.Fprintf(b, "%010d 00000 n \n", bytes.Index(b.Bytes(), fmt.Appendf(nil, "%d 0 obj", n)))
		}
		fmt.Fprintf(b, "trailer\n<</Size 1000000 /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n", prev, at)
		return b.Bytes()
	}
	out["one lock of many names, and many fields"] = func() []byte {
		objs := formOf(50_000, "")
		for i := range 50_000 {
			objs[10+i] = strings.Replace(objs[10+i], "/Tx", "/Sig", 1)
		}
		objs[5] = "<</T (author) /FT /Sig /V 6 0 R>>"
		objs[4] = "<</Fields [5 0 R " + refs(10, 50_000) + "]>>"
		objs[6] = "<</Type /Sig /ByteRange [0 1 2 3] /Contents <00> /Reference [<</TransformMethod /DocMDP /TransformParams <</P 2>>>> <</TransformMethod /FieldMDP /TransformParams <</Action /Exclude /Fields [" + strings.Repeat("(no) ", 100_000) + "]>>>>]>>"
		return lay(objs, true)
	}
	out["a hundred thousand signatures that are one"] = func() []byte {
		objs := formOf(90_000, "")
		for i := range 90_000 {
			objs[10+i] = "<</T (f) /FT /Sig /V 6 0 R>>"
		}
		objs[6] = "<</Type /Sig /ByteRange [0 1 2 3] /Contents <00> /Reference [<</TransformMethod /FieldMDP /TransformParams <</Action /Include /Fields [(a) (b) (c) (d) (e) (f) (g) (h)]>>>>]>>"
		return lay(objs, true)
	}
	out["objects that name each other, nine megabytes each"] = func() []byte {
		objs := formOf(1, "")
		objs[2] = "<</Type /Pages /Kids [" + refs(20, 30) + "] /Count 1>>"
		for i := range 30 {
			objs[20+i] = "<</Kids [] /X (" + strings.Repeat("x", 900_000) + ")>>"
		}
		return lay(objs, true)
	}
	return out
}

// signedShapes are files that were signed, and then made dear to compare.
func signedShapes(t *testing.T) map[string]func() []byte {
	out := map[string]func() []byte{}
	for layout, write := range layouts {
		out["50,000 fields, signed and filled in, "+layout] = func() []byte {
			file := signFile(t, write(formOf(50_000, "")), signing{})
			filled := map[int]string{}
			for i := range 50_000 {
				filled[10+i] = fmt.Sprintf("<</FT /Tx /T (field%d) /Rect [0 0 9 9] /Subtype /Widget /V (x)>>", i)
			}
			return update(file, filled, "")
		}
	}
	out["three versions, each with an object stream of half a million"] = func() []byte {
		b := pdftest.New("%PDF-1.7\n")
		const n = 480_000
		var head strings.Builder
		for i := range n {
			fmt.Fprintf(&head, "%d 0 ", 100+i)
		}
		z := deflated(head.String() + "<</T (x) /FT /Tx>>" + strings.Repeat(" ", 8<<20))
		b.Object(1, "<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [100 0 R 101 0 R]>>>>")
		b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
		b.Object(3, onePage)
		for i := range 2 {
			b.Stream(10+i, fmt.Sprintf("/Type /ObjStm /Filter /FlateDecode /N %d /First %d", n, head.Len()), z)
			b.Packed(10+i, 100+i)
		}
		b.Index(5, "/Root 1 0 R")
		file := signFile(t, b.Bytes(), signing{})
		return update(signFile(t, file, signing{}), map[int]string{100: "<</T (x) /FT /Tx /V (y)>>"}, "")
	}
	out["ten thousand pages whose list of marks was written anew"] = func() []byte {
		objs := map[int]string{1: "<</Type /Catalog /Pages 2 0 R>>", 2: "<</Type /Pages /Kids [" + refs(10, 10_000) + "] /Count 10000>>",
			5: "[" + strings.Repeat("1 0 R ", 300_000) + "]"}
		for i := range 10_000 {
			objs[10+i] = "<</Type /Page /Parent 2 0 R /Annots 5 0 R>>"
		}
		file := signFile(t, lay(objs, true), signing{})
		again := map[int]string{20_000: objs[5]}
		for i := 1; i < 10_000; i++ {
			again[10+i] = "<</Type /Page /Parent 2 0 R /Annots 20000 0 R>>"
		}
		return update(file, again, "")
	}
	out["fields that share a look, written anew"] = func() []byte {
		objs := formOf(20_000, "/AP <</N 5 0 R>>")
		objs[5] = "<</A [" + strings.Repeat("1 0 R ", 300_000) + "]>>"
		file := signFile(t, lay(objs, true), signing{})
		return update(file, map[int]string{5: objs[5]}, "")
	}
	out["a store of entries that share their lists"] = func() []byte {
		file := signFile(t, paper(), signing{stamp: true})
		var vri strings.Builder
		objs := map[int]string{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /DSS 69 0 R>>", 70: "[" + refs(100_000, 300_000) + "]"}
		for i := range 20_000 {
			fmt.Fprintf(&vri, "/%040X <</Cert 70 0 R /OCSP 70 0 R>> ", i)
		}
		objs[69] = "<</Type /DSS /VRI <<" + vri.String() + ">>>>"
		return update(file, objs, "")
	}
	out["a store of heavy entries"] = func() []byte {
		file := signFile(t, paper(), signing{stamp: true})
		var vri strings.Builder
		objs := map[int]string{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /DSS 69 0 R>>"}
		for i := range 300 {
			fmt.Fprintf(&vri, "/%040X %d 0 R ", i, 1000+i)
			objs[1000+i] = "<</Cert [" + strings.Repeat("0 ", 20_000) + "]>>"
		}
		objs[69] = "<</Type /DSS /VRI <<" + vri.String() + ">>>>"
		return update(file, objs, "")
	}
	return out
}
